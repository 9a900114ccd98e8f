// 诉求上升: what people speak of most, and where. It must never fetch.
import type { Case } from '@/api/cases'
import type { Lead } from '@/api/leads'

export interface Rising {
  class: string
  name_zh: string
  name_en: string
  count: number
  /** The place that speaks most: of its street, the one with most voices. */
  place: Case | Lead
  to: string
}

const MOST = 3
const STREET = 9
interface Told {
  one: Case | Lead
  names: { name_zh: string; name_en: string }
  to: string
}

/** The three classes of requests with most voices, filed or yet to be verified, each with the street that speaks most: a voice without a point counts in the area it names or was taken in for. One voice alone is no rise. */
export function risingOf(cases: Case[], leads: Lead[]): Rising[] {
  const told: Told[] = [
    ...cases.filter((one) => !one.closed).map((one) => ({ one, names: { name_zh: one.class_zh ?? '', name_en: one.class_en ?? '' }, to: `/desk/case/${one.id}` })),
    ...leads.filter((one) => one.kind === 'request' && !one.case && one.class).map((one) => ({ one, names: { name_zh: one.title_zh, name_en: one.title_en }, to: `/desk/queue?tab=leads&lead=${one.id}` })),
  ].filter(({ one }) => one.voices > 0)
  return [...by(told, ({ one }) => one.class ?? '').entries()]
    .map(([name, rows]) => {
      const streets = [...by(rows, ({ one }) => one.area.slice(0, STREET)).values()].sort((a, b) => sum(b) - sum(a))
      const top = [...streets[0]!].sort((a, b) => b.one.voices - a.one.voices)[0]!
      return { class: name, ...(rows.find(({ to }) => to.startsWith('/desk/case/')) ?? top).names, count: sum(rows), place: top.one, to: top.to }
    })
    .filter((one) => one.count > 1)
    .sort((a, b) => b.count - a.count)
    .slice(0, MOST)
}

const sum = (rows: Told[]) => rows.reduce((all, { one }) => all + one.voices, 0)
function by(rows: Told[], key: (row: Told) => string): Map<string, Told[]> {
  const groups = new Map<string, Told[]>()
  for (const row of rows) groups.set(key(row), [...(groups.get(key(row)) ?? []), row])
  return groups
}
