// The daily brief: yesterday's figures beside the city's own days before, what holds, what is to be done.
import { get, withQuery } from './http'
import type { Held, Instruction, Warned } from './duty'
import type { Level } from './vitals'

export interface Figure {
  what: string
  zh: string
  en: string
  value: number
  day_before: number
  week_before: number
  day_change: number | null
  week_change: number | null
}

export interface Sign {
  indicator: string
  area: string
  zh: string
  en: string
  area_name_zh: string
  area_name_en: string
  value: string
  unit: string
  level: Level
}

export interface Holding {
  noun: 'warning' | 'response' | 'incident'
  id: string
  title_zh: string
  title_en: string
  who: string
  from: string
  until: string | null
  over: boolean
  state_zh: string
  state_en: string
}

export interface Section {
  head: string
  lines: string[]
  tables: string[][][]
}

export interface Brief {
  date: string
  of: string
  title: Record<'zh' | 'en', string>
  summary: Record<'zh' | 'en', string>
  sections: Record<'zh' | 'en', Section[]>
  figures: Figure[]
  districts: (Record<string, string | number> & { area: string })[]
  topics: { class: string; zh: string; en: string; count: number }[]
  warnings: Warned[]
  responses: Held[]
  incidents: Held[]
  signs: Sign[]
  todo: { due_today: number; overdue: number; reports: number; instructions: number; orders: number; voices: number; voices_oldest: string | null }
  instructions: Instruction[]
  /** What held, told the same on the page and on paper. */
  holding: Holding[]
}

export const readBrief = (date: string) => get<Brief>('/api/brief', { date })
export const briefPdf = (date: string, lang: 'zh' | 'en') => withQuery('/api/brief.pdf', { date, lang })
