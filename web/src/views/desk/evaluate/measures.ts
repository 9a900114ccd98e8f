// How the measures are grouped, and how one figure stands to an earlier one of the same object. It must never compare two objects.
import type { Measure } from '@/api/evaluation'

export const GROUPS: { key: string; measures: string[] }[] = [
  { key: 'result', measures: ['closing', 'on_time', 'redo', 'right_dispatch', 'reopened'] },
  { key: 'load', measures: ['opened', 'due', 'closed', 'self_handled', 'part_overdue'] },
  { key: 'time', measures: ['dispatch_h', 'sign_h', 'handle_h', 'check_h'] },
  { key: 'people', measures: ['answered', 'solved', 'satisfied'] },
]
/** So few cases make a figure jump. */
export const FEW = 10
/** Counts are neither good nor bad: more work is no merit and no fault. */
const NEUTRAL = new Set(['opened', 'due', 'closed', 'self_handled', 'answered'])

export interface Change {
  by: number
  way: 'up' | 'down' | 'same'
  verdict: 'better' | 'worse' | ''
}

export function changeOf(measure: Measure, now: number | null, then: number | null): Change | null {
  if (now === null || then === null) return null
  const by = Math.round((now - then) * 100) / 100
  if (!by) return { by, way: 'same', verdict: '' }
  const way = by > 0 ? 'up' : 'down'
  return { by, way, verdict: NEUTRAL.has(measure.key) ? '' : (by > 0) === measure.more ? 'better' : 'worse' }
}
