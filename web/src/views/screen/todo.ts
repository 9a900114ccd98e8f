// 现在要办: what comes first and how much there is. It must never fetch.
import type { Case } from '@/api/cases'
import type { HotlineRow } from '@/api/hotline'
import type { Lead } from '@/api/leads'
import { rank } from '@/say/level'

export interface Todo {
  key: string
  kind: 'case' | 'lead' | 'voice'
  lead?: Lead
  voice?: HotlineRow
  case?: Case
  at: string
  due: string | null
}

/** How much of each there is; `more`: so many and more. */
export interface TodoCounts {
  cases: number
  leads: number
  voices: number
  more: boolean
}

const DANGEROUS = 0
const DATED = 1
const UNDATED = 2
const LEAD = 3
const VOICE = 4
const NO_LEVEL = 9

/** A lead that the desk works on as a citizen's voice (受理) stands there alone. What endangers people, then by time left, what is overdue on top; what has no time of its own stands under all that has, the gravest and oldest first. */
export function todosOf(leads: Lead[], cases: Case[], voices: HotlineRow[]): Todo[] {
  const takenIn = new Set(voices.map((one) => one.lead))
  const open = cases.filter((c) => !c.closed && c.step !== 'imported')
  const rows: Todo[] = [
    ...open.map((one): Todo => ({ key: `c${one.id}`, kind: 'case', case: one, at: one.opened, due: one.due })),
    ...leads.filter((l) => l.kind !== 'request' || !takenIn.has(l.id)).map((lead): Todo => ({ key: `l${lead.id}`, kind: 'lead', lead, at: lead.opened, due: null })),
    ...voices.map((voice): Todo => ({ key: `v${voice.id}`, kind: 'voice', voice, at: voice.created, due: null })),
  ]
  const group = ({ kind, case: one, due }: Todo) => {
    if (kind !== 'case') return kind === 'lead' ? LEAD : VOICE
    if (one?.danger) return DANGEROUS
    return due ? DATED : UNDATED
  }
  const time = (row: Todo) => (row.due ? Date.parse(row.due) : Infinity)
  const level = (row: Todo) => {
    const told = (row.case ?? row.lead)?.level
    return told ? rank(told) : NO_LEVEL
  }
  return rows.sort((a, b) => group(a) - group(b) || (time(a) === time(b) ? level(a) - level(b) || Date.parse(a.at) - Date.parse(b.at) : time(a) - time(b)))
}

/** `open`: the open cases of the whole scope, as the desk counts them. */
export function countsOf(rows: Todo[], open: number | undefined, more: boolean): TodoCounts {
  const of = (kind: Todo['kind']) => rows.filter((row) => row.kind === kind).length
  return { cases: open ?? of('case'), leads: of('lead'), voices: of('voice'), more }
}
