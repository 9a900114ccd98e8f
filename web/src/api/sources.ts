// Registered feeds and the rows they sent that could not be taken.
import { get, part, send, type Page } from './http'

export interface Source {
  name: string
  zh: string
  en: string
  owner: string
  kind: string
  zone: string
  entities: string
  rhythm_s: number | null
  grade: string | null
  mapping_version: string | number
  counts: { accepted: number; quarantined: number; duplicates: number }
  last_known: string | null
  feed: Feed | null
}

interface Said {
  sentence: string
  remedy: string
}

/** How what is fetched from others goes: null where they send it themselves. */
export interface Feed {
  kind: string
  every_s: number
  failing: boolean
  last_success: string | null
  last_error: { code: string; at: string; zh: Said; en: Said } | null
  rows: number
  quarantined: number
  lag_s: number | null
}

export interface BadRow {
  id: string | number
  batch: string
  row: number
  code: string
  sentence_zh: string
  sentence_en: string
  remedy_zh: string
  remedy_en: string
  raw: unknown
  known: string
  mended: boolean
}

const at = (source: string) => `/api/sources/${part(source)}/quarantine`

/** The registered sources, and the declared feeds that belong to none of them. */
export interface Sources extends Page<Source> {
  refused: { name: string; feed: Feed }[]
}

export const listSources = () => get<Sources>('/api/sources', { limit: 500 })
export const listBadRows = (source: string, after?: string, limit = 50) => get<Page<BadRow>>(at(source), { after, limit })
export const badRowsCsv = (source: string) => `${at(source)}.csv`
export const mendRow = (source: string, id: string, raw: string) =>
  send<{ mended: boolean; accepted?: number; quarantined?: number; duplicates?: number }>('POST', `${at(source)}/${part(String(id))}/mend`, { raw })
