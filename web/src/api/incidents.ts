// An incident's room: its orders with their receipts, reports, command log, and the look back on it.
import type { Listed } from './centre'
import type { Level } from './vitals'
import { get, part, send } from './http'

export interface Said {
  verb: string
  zh: string
  en: string
}

export interface Place {
  zh: string
  en?: string
  lon?: number | null
  lat?: number | null
}

export interface IncidentRow {
  id: string
  number: string
  theme: string
  theme_zh: string
  theme_en: string
  title_zh: string
  title_en: string
  places: Place[]
  mode: string | null
  state: 'open' | 'closed'
  state_zh: string
  state_en: string
  drill: boolean
  areas: string[]
  parties: { unit: string; unit_zh: string; unit_en: string }[]
  happened: string
  opened: string
  closed: string | null
  version: number
}

export interface Command {
  id: string
  number: string
  incident: string
  title_zh: string
  title_en: string
  unit: string
  unit_zh: string
  unit_en: string
  basis: string
  basis_en: string
  state: 'sent' | 'read' | 'accepted' | 'done' | 'declined' | 'cancelled'
  state_zh: string
  state_en: string
  note: string
  sent: string
  due: string | null
  read: string | null
  accepted: string | null
  ended: string | null
  late: boolean
  verbs: Said[]
  version: number
}

export interface Report {
  id: string
  number: string
  kind: 'first' | 'next' | 'final'
  kind_zh: string
  kind_en: string
  state: 'draft' | 'sent' | 'dropped'
  state_zh: string
  state_en: string
  text_zh: string
  text_en: string
  sent_to: string
  made: string
  due: string | null
  sent: string | null
  late: boolean
  version: number
}

export interface Logged {
  seq: number
  kind: string
  number: string
  verb: string
  verb_zh: string
  verb_en: string
  about_zh: string
  about_en: string
  actor_name: string
  note: string
  reason: string
  unit: string
  at: string
}

export interface LinkedCase {
  id: string
  number: string
  title_zh: string
  title_en: string
  step: string
  step_zh: string
  step_en: string
  holder_zh: string
  holder_en: string
  indicator: string
  level: Level | null
  lon: number | null
  lat: number | null
  area: string
  due: string | null
}

export interface Supply {
  name: string
  name_en: string
  unit: string
  kind: string
  count: number
  lon: number | null
  lat: number | null
  basis: string
}

export interface Incident extends IncidentRow {
  orders: Command[]
  reports: Report[]
  log: Logged[]
  cases: LinkedCase[]
  supplies: Supply[]
  /** What an end leaves open: reports not sent, cases not closed, a mode in force. */
  unfinished: { kind: 'report' | 'case' | 'mode'; id: string; number: string; zh: string; en: string }[]
  verbs: Said[]
}

export interface Deal {
  note?: string
  unit?: string
  title_zh?: string
  title_en?: string
  limit_minutes?: number
  case?: string
  place?: Place
  kind?: string
  report?: string
  to?: string
  text_zh?: string
  text_en?: string
  version?: number
}

export interface NewIncident {
  theme: string
  title_zh: string
  title_en: string
  areas: string[]
  places: Place[]
  cases: string[]
  drill: boolean
}

export interface Review {
  number: string
  title_zh: string
  title_en: string
  moments: { key: string; zh: string; en: string; at: string | null }[]
  gaps: { from: string; to: string; zh: string; en: string; s: number }[]
  limits: { what_zh: string; what_en: string; number: string; start: string; due: string | null; end: string | null; over_s: number | null; late: boolean }[]
  timeline: { seq: number; at: string; kind: string; number: string; zh: string; en: string; by_zh: string; by_en: string; note: string }[]
}

const of = (id: string) => `/api/incidents/${part(id)}`

export const listIncidents = (all = false) => get<Listed<IncidentRow>>('/api/incidents', { all: all || undefined })
export const readIncident = (id: string) => get<Incident>(of(id))
export const openIncident = (body: NewIncident) => send<Incident>('POST', '/api/incidents', body)
export const dealIncident = (id: string, verb: string, body: Deal) => send<Incident>('POST', `${of(id)}/${part(verb)}`, body)
export const dealCommand = (id: string, order: string, verb: string, body: { note?: string; version?: number }) =>
  send<Command>('POST', `${of(id)}/orders/${part(order)}/${part(verb)}`, body)
export const readReview = (id: string) => get<Review>(`${of(id)}/review`)
export const reviewPdf = (id: string, language: string) => `${of(id)}/review.pdf?lang=${language.startsWith('zh') ? 'zh' : 'en'}`
