// What the operations centre stands in: warnings in force, responses ordered, modes raised, who has the watch.
import { get, part, send, type Page } from './http'

export type Colour = 'blue' | 'yellow' | 'orange' | 'red'

/** A list that also says what the reader may do. */
export interface Listed<T> extends Page<T> {
  verbs: string[]
}

export interface Warning {
  id: string
  number: string
  source: 'cap' | 'hand'
  issuer: string
  external: string
  message: string
  hazard: string
  hazard_en: string
  colour: Colour
  colour_zh: string
  colour_en: string
  title_zh: string
  title_en: string
  text_zh: string
  text_en: string
  areas: string[]
  onset: string
  expires: string | null
  ended: string | null
  taken: string
  in_force: boolean
  drill: boolean
  version: number
}

export interface Response {
  id: string
  number: string
  theme: string
  level: string
  title_zh: string
  title_en: string
  ordered_by: string
  basis: string
  text_zh: string
  text_en: string
  areas: string[]
  started: string
  ended: string | null
  drill: boolean
  version: number
}

export interface EffectItem {
  what: string
  zh: string
  en: string
}

export interface Mode {
  id: string
  number: string
  theme: string
  theme_zh: string
  theme_en: string
  level: string
  title_zh: string
  title_en: string
  basis: string
  response: string | null
  state: 'proposed' | 'in_force' | 'refused' | 'ended'
  state_zh: string
  state_en: string
  areas: string[]
  incident: string | null
  drill: boolean
  proposed: string
  decided: string | null
  ended: string | null
  effects: { effect: string; zh: string; en: string; items: EffectItem[] }[]
  restored: (EffectItem & { effect: string })[]
  version: number
}

export interface Sampling {
  type: string
  zh: string
  en: string
  every_s: number | null
  areas: string[]
  mode: string
}

export interface NewWarning {
  issuer: string
  issued: string
  hazard: string
  hazard_en: string
  colour: string
  areas: string[]
  onset: string | null
  expires: string | null
  text_zh: string
  text_en: string
  kind: string
  names: string[]
  drill: boolean
}

export interface Order {
  ordered_by: string
  basis: string
  theme?: string
  level?: number
  areas?: string[]
  text_zh?: string
  drill?: boolean
  version?: number
}

export interface Proposal {
  theme: string
  level: number
  areas: string[]
  title_zh: string
  title_en: string
  basis: string
  response: string | null
  drill: boolean
}

/** Ⅰ is the gravest. */
export const LEVELS = ['Ⅰ', 'Ⅱ', 'Ⅲ', 'Ⅳ']
export const levelNumber = (numeral: string) => LEVELS.indexOf(numeral) + 1

export const listWarnings = (all = false) => get<Listed<Warning>>('/api/warnings', { all: all || undefined })
export const listResponses = (all = false) => get<Listed<Response>>('/api/responses', { all: all || undefined })
export const listModes = (all = false) => get<Listed<Mode> & { sampling: Sampling[]; mine: string[] }>('/api/modes', { all: all || undefined })
export const enterWarning = (body: NewWarning) => send<Warning>('POST', '/api/warnings', body)
export function takeWarning(file: File, areas: string[], colour: string) {
  const form = new FormData()
  form.append('file', file, file.name)
  form.append('areas', areas.join(','))
  form.append('colour', colour)
  return send<Warning>('POST', '/api/warnings/cap', form)
}
export const startResponse = (body: Order) => send<Response>('POST', '/api/responses', body)
export const moveResponse = (id: string, verb: string, body: Order) => send<Response>('POST', `/api/responses/${part(id)}/${part(verb)}`, body)
export const proposeMode = (body: Proposal) => send<Mode>('POST', '/api/modes', body)
export const decideMode = (id: string, verb: string, body: { note?: string; version?: number }) => send<Mode>('POST', `/api/modes/${part(id)}/${part(verb)}`, body)
