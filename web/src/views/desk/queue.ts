// What stands on which tab of the queue, and in which order. It must never fetch.
import type { Case } from '@/api/cases'
import type { Waits } from '@/api/hotline'
import { limitOf, still } from '@/say/limit'
import { contested } from './verbs'

export interface Tab {
  key: string
  steps: string[] | null
  /** The citizens' voices that wait there. */
  waits?: Waits
}
export const TABS: Tab[] = [
  { key: 'leads', steps: null },
  { key: 'accept', steps: ['collect', 'file'], waits: 'accept' },
  { key: 'dispatch', steps: ['dispatch'] },
  { key: 'disputes', steps: ['dispatch'] },
  { key: 'handle', steps: ['handle', 'feedback'] },
  { key: 'check', steps: ['check'] },
  { key: 'callback', steps: [], waits: 'call' },
  { key: 'all', steps: null },
]
const HOMES: Record<string, string> = { acceptor: 'accept', dispatcher: 'dispatch', checker: 'check', handler: 'handle', department: 'handle', duty_officer: 'leads' }
export const DISPUTES = '/desk/disputes'

export const homeOf = (roles: string[]) => roles.map((role) => HOMES[role]).find(Boolean) ?? 'dispatch'
export const tabOf = (key: string) => TABS.find((one) => one.key === key)
export const toTab = (key: string) => (key === 'disputes' ? { path: DISPUTES } : { path: '/desk/queue', query: { tab: key } })

/** Whether a case stands on a tab; `today`: whether it was opened today. */
export function inTab(one: Case, key: string, state: string, today: (one: Case) => boolean): boolean {
  if (key === 'disputes') return !one.closed && contested(one)
  if (key === 'dispatch') return !one.closed && one.step === 'dispatch' && one.mark !== 'disputed'
  const steps = tabOf(key)?.steps
  if (steps) return !one.closed && steps.includes(one.step)
  if (state === 'late') return !one.closed && one.late
  if (state === 'open') return !one.closed
  if (state === 'closed') return Boolean(one.closed)
  return state !== 'today' || today(one)
}

const ends = (one: Case) => Date.parse(limitOf(one).due ?? '9999-01-01')
export const byTime = (a: Case, b: Case) => still(a) - still(b) || ends(a) - ends(b)
