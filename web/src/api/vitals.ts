// Values of indicators in areas, and everything that explains one of them.
import type { Band } from './indicators'
import type { Case } from './cases'
import type { Finding } from './findings'
import { get, part, type Page } from './http'

export type Level = 'green' | 'yellow' | 'orange' | 'red' | 'unset' | 'stale'
export type Point = [string, number | null]

export interface Vital {
  indicator: string
  area: string
  value: number | null
  unit: string
  level: Level
  band: Band | null
  as_of: string | null
  age_s: number | null
  owner: string
  spark: Point[]
  last_action: { case: string | null; lead: string; text_zh: string; text_en: string } | null
  acknowledged: boolean
  finding: string | null
}

export interface RawReading {
  source: string
  entity: string
  property: string
  valid: string
  known: string
  value: number | string | null
  unit: string
  raw: string | number | null
  raw_unit: string | null
  flags: string[]
  area: string
  offset: number | string
}

export interface Explained {
  indicator: string
  name_zh: string
  name_en: string
  area: string
  area_name_zh: string
  area_name_en: string
  value: number | null
  unit: string
  level: Level
  native: string | null
  band: Band | null
  formula_zh: string
  formula_en: string
  declared: string
  sql: string
  live: { value: number | null; at: string; parts?: Record<string, unknown> | null } | null
  recomputed: { value: number | null; at: string; parts?: Record<string, unknown> | null; equal: boolean } | null
  window: { from: string; to: string } | null
  as_of: string | null
  age_s: number | null
  owner: string
  version: string
  contributing: { area: string; name_zh: string; name_en: string; value: number | null; level: Level }[]
  readings: Page<RawReading>
  flags: Record<string, number>
  findings: Finding[]
  cases: Case[]
  journal: { offset: number | string }
  ledger: { hash: string }
  spark: Point[]
}

export interface SeriesPoint {
  at: string
  value: number | null
  level: Level
}

const at = (indicator: string, area: string) => `/api/vitals/${part(indicator)}/${part(area)}`

export const listVitals = (query: { area?: string; indicator?: string; level?: string; depth?: string; at?: string }) =>
  get<Page<Vital>>('/api/vitals', { ...query, limit: 5000 })
export const explainVital = (indicator: string, area: string) => get<Explained>(at(indicator, area))
export const pageReadings = (indicator: string, area: string, after: string, limit = 20) =>
  get<Page<RawReading>>(`${at(indicator, area)}/readings`, { after, limit })
export const readSeries = (indicator: string, area: string, hours = 24, points = 96) =>
  get<Page<SeriesPoint>>(`${at(indicator, area)}/series`, { hours, points })
