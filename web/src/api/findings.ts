// A rule that holds somewhere.
import { get, part, send, type Page } from './http'
import type { Level } from './vitals'

export interface Finding {
  id: string
  rule: string
  rule_zh: string
  rule_en: string
  indicator: string
  area: string
  area_name_zh: string
  area_name_en: string
  level: Level
  value: number | null
  unit: string
  opened: string
  closed: string | null
  evidence: unknown
  acknowledged_by: string | null
  lead: string | null
  case: string | null
  /** What the viewer may do of it. */
  may?: string[]
}

export const listFindings = (query: { state?: 'open' | 'closed'; area?: string }) => get<Page<Finding>>('/api/findings', query)
export const acknowledgeFinding = (id: string) => send<Finding>('POST', `/api/findings/${part(id)}/acknowledge`, {})
