// Which verbs a case waits for and which stand aside, and with which keys. It must never do any of them.
import { leaveOf, type CaseFull, type Verb } from '@/api/cases'

export const MORE_KEY = '.'
/** The leaves a holder may ask for. */
export const LEAVES = ['extend', 'park', 'defer', 'supplement']
export const PAUSED = ['parked', 'deferred', 'waiting']

const GROUPS: { key: string; verbs: string[] }[] = [
  { key: 'time', verbs: ['ask', ...LEAVES, 'resume', 'deny'] },
  { key: 'above', verbs: ['urge', 'supervise', 'escalate'] },
  { key: 'together', verbs: ['make_safe', 'whistle', 'launch'] },
]
const REST = 'rest'

/** What stands aside by its kind, and yet is what this case needs now. */
function called(verb: string, one: CaseFull): boolean {
  if (verb === 'object' || verb === 'resume' || verb === 'reopen') return true
  if (verb === 'place') return one.placed === false
  return verb === 'make_safe' && Boolean(one.danger) && !one.tasks?.some((task) => task.kind === 'make_safe')
}

export const mainOf = (one: CaseFull): Verb[] => one.verbs.filter((verb) => !verb.aside || called(verb.verb, one))

export function asideOf(one: CaseFull): { key: string; verbs: Verb[] }[] {
  const rest = one.verbs.filter((verb) => verb.aside && !called(verb.verb, one))
  const grouped = GROUPS.map(({ key, verbs }) => ({ key, verbs: verbs.flatMap((name) => rest.find((verb) => verb.verb === name) ?? []) }))
  const placed = new Set(grouped.flatMap((group) => group.verbs))
  return [...grouped, { key: REST, verbs: rest.filter((verb) => !placed.has(verb)) }].filter((group) => group.verbs.length)
}

/** Every key once: those a case waits for first, each by its own key or its place; those aside only by their own, where it is free. */
export function keysOf(one: CaseFull): Map<string, string> {
  const found = new Map<string, string>()
  const taken = new Set<string>()
  const give = (verb: string, key: string | null | undefined) => {
    const name = key && /^[0-9A-Z]$/i.test(key) ? key.toUpperCase() : ''
    if (!name || taken.has(name)) return
    taken.add(name)
    found.set(verb, name)
  }
  const main = mainOf(one)
  for (const verb of main) give(verb.verb, verb.shortcut)
  main.forEach((verb, i) => found.has(verb.verb) || give(verb.verb, String(i + 1)))
  for (const group of asideOf(one)) for (const verb of group.verbs) give(verb.verb, verb.shortcut)
  return found
}

/** The small words a row shows beside its step, gravest first. */
export function marksOf(one: { danger?: boolean; mark?: string; asked?: unknown; supervised?: string | null; tier?: number; reopened?: number; closed: string | null; step: string }): string[] {
  if (one.closed) return []
  const found: string[] = []
  if (one.danger) found.push('danger')
  if (one.mark && ['returned', 'disputed', ...PAUSED].includes(one.mark)) found.push(one.mark)
  if (one.asked && typeof one.asked === 'object' && 'what' in one.asked) found.push('asked')
  if (one.supervised) found.push('supervised')
  if (one.tier) found.push('escalated')
  if (one.reopened) found.push('reopened')
  return found
}

/** Whether this case waits for someone to say whose it is. */
export const contested = (one: { step: string; mark?: string }) => one.step === 'dispatch' && (one.mark === 'returned' || one.mark === 'disputed')

/** The verb that gives the leave which is asked for, if the viewer may. */
export function granting(one: CaseFull): Verb | undefined {
  const leave = leaveOf(one)
  return leave ? one.verbs.find((verb) => verb.verb === leave.what) : undefined
}
