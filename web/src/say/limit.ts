// What runs out first of a case, and how that is said.
import { useI18n } from 'vue-i18n'
import type { Case } from '@/api/cases'
import { useTime } from './time'

/** What stands still waits below what does not. */
export const still = (one: Case) => Number(['parked', 'deferred', 'waiting'].includes(one.mark ?? ''))

/** What runs out first of a case: its own limit, or that of the part of the work that whoever holds it now is in; `part` is '' where it is the case's own. */
export function limitOf(one: Case): { due: string | null; part: string } {
  const held = one.closed || !one.part ? null : (one.held_due ?? null)
  return held && (!one.due || Date.parse(held) < Date.parse(one.due)) ? { due: held, part: one.part ?? '' } : { due: one.due, part: '' }
}

/** `left(case)`: the time left of what runs out first, a part named; `over(case)`: whether that ran out. */
export function useLimit() {
  const { t } = useI18n()
  const time = useTime()
  const over = (one: Case) => one.late || (!one.closed && !still(one) && (time.left(limitOf(one).due) ?? 1) < 0)
  function left(one: Case): string {
    if (one.closed) return time.soon(one.closed)
    if (still(one)) return t('case.till', { at: time.soon(one.parked_until) })
    const { due, part } = limitOf(one)
    return part ? t('queue.part', { part: t(`case.parts.${part}`), left: time.remaining(due) }) : time.remaining(due)
  }
  return { left, over }
}
