// Something seen that is not yet a case.
import type { Spot, Voice } from './cases'
import { get, part, send, type Page } from './http'
import type { Level } from './vitals'

export type LeadVerb = 'confirm' | 'false_alarm' | 'duplicate' | 'place' | 'reopen'
/** What may be done with a lead: a verdict, or taking out again what was joined to it. */
export type LeadRight = LeadVerb | 'unlink'

export interface LeadLink {
  id: number
  lead: string | null
  number?: string | null
  title_zh?: string | null
  title_en?: string | null
  case?: string | null
  request?: string | null
  kind: string
  reason_zh: string
  reason_en: string
}

export interface Lead {
  id: string
  number: string
  kind: string
  source: string
  class?: string
  title_zh: string
  title_en: string
  area: string
  lon: number | null
  lat: number | null
  opened: string
  finding: string | null
  state: string
  level?: Level | null
  links: LeadLink[]
  /** What it may be the same as, while both may still become one. */
  suggested: LeadLink[]
  case: string | null
  voices: number
  heard?: Voice[]
  address?: string
  area_name_zh?: string
  area_name_en?: string
  placed?: boolean
  /** What the viewer may do of it. */
  may?: LeadRight[]
  version?: number
}

export const listLeads = (state?: string) => get<Page<Lead>>('/api/leads', { state, limit: 500 })
export const settleLead = (id: string, verb: LeadVerb, body: Spot & { of?: string; class?: string; version?: number } = {}) =>
  send<Lead>('POST', `/api/leads/${part(id)}/${verb}`, body)
/** Takes one's own last verdict back: all stands again as it stood before. */
export const undoLead = (id: string) => send<Lead>('POST', `/api/leads/${part(id)}/undo`, {})
/** Takes a join out again, however long ago it was made. */
export const freeLink = (id: string, link: number) => send<Lead>('DELETE', `/api/leads/${part(id)}/links/${link}`)
