// Order and mark of the six levels; the words are in words/*.json under `level`.
import type { Level } from '@/api/vitals'

export const MARKS: Record<Level, string> = { green: '●', yellow: '▲', orange: '◆', red: '■', unset: '○', stale: '◌' }
export const PAINTED: Level[] = ['yellow', 'orange', 'red']
const RANK: Record<Level, number> = { red: 0, orange: 1, yellow: 2, stale: 3, green: 4, unset: 5 }

export const rank = (level: Level) => RANK[level] ?? 6
export const isBad = (level: Level | null | undefined) => level === 'yellow' || level === 'orange' || level === 'red'

/** A band's steps from the mildest to the worst, however they were declared. */
export const mildFirst = <T extends { level: string }>(steps: readonly T[]): T[] => [...steps].sort((a, b) => rank(b.level as Level) - rank(a.level as Level))
