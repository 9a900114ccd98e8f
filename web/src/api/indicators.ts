// What is measured, as it was declared.
import { get, type Page } from './http'

export interface BandStep {
  level: string
  op: string
  value: number
}

export interface BandSource {
  doc: string
  clause: string
  doc_en?: string
  clause_en?: string
  scope: string
}

export interface Band {
  source: BandSource | null
  steps: BandStep[]
  valid_from?: string
  place?: string | null
  period?: { from: string; to: string } | string | null
}

export interface Indicator {
  code: string
  name_zh: string
  name_en: string
  unit: string
  decimals: number
  owner: string
  theme: string
  window: string
  hop: string
  formula_zh: string
  formula_en: string
  declared: string
  sql: string
  bands: Band[]
  direction: string | null
  version: string
}

export const listIndicators = () => get<Page<Indicator>>('/api/indicators', { limit: 500 })

/** The entity type an indicator measures, read from its declaration ("WaterLevelSensor" of `of = "WaterLevelSensor.depth"`). */
export function measuredType(indicator: Indicator | undefined): string | null {
  return indicator?.declared?.match(/\bof\s*=\s*"(\w+)\./)?.[1] ?? null
}
