// A span of days in the city's calendar: from a first day to a last one, with it. Days are `2026-11-22`.
import { toField } from '@/say/moment'

export const SPANS = ['7', '30', '90', 'month', 'custom'] as const
export type Span = (typeof SPANS)[number]

/** The city's day of a moment. */
export const dayOf = (at: number | string, zone: string) => toField(new Date(at).getTime(), zone).slice(0, 10)

const DAY_MS = 86_400_000

/** So many days later, by the calendar. */
export const shifted = (day: string, by: number) => new Date(Date.parse(`${day}T00:00:00Z`) + by * DAY_MS).toISOString().slice(0, 10)

export function daysOf(span: Span, today: string, first: string | undefined, last: string | undefined): [string, string] {
  if (span === 'month') return [`${today.slice(0, 8)}01`, today]
  if (span === 'custom') return [first || shifted(today, -29), last || today]
  return [shifted(today, 1 - Number(span)), today]
}
