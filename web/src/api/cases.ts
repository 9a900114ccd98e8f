// One thing to be settled, with its append-only history.
import { get, part, send, type Page } from './http'
import type { Level } from './vitals'

export interface Case {
  id: string
  number: string
  class: string
  class_zh: string
  class_en: string
  title_zh: string
  title_en: string
  address: string
  area: string
  area_name_zh: string
  area_name_en: string
  lon: number | null
  lat: number | null
  source: string
  step: string
  step_zh: string
  step_en: string
  holder: string | null
  holder_zh: string | null
  holder_en: string | null
  opened: string
  due: string | null
  closed: string | null
  late: boolean
  level: Level | null
  voices: number
  finding: string | null
  lead: string | null
  indicator: string | null
  version: number
  flags: string[] | Record<string, unknown>
  /** What the viewer may do of it, where a list says so. */
  may?: string[]
}

export interface Evidence {
  sha256: string
  content_type: string
  url: string
}

export interface Deed {
  seq: number
  verb: string
  verb_zh: string
  verb_en: string
  actor: string
  actor_name: string
  actor_name_zh?: string | null
  actor_name_en?: string | null
  undone?: boolean
  /** From which area to which it was moved. */
  moved?: { from_name_zh: string; from_name_en: string; to_name_zh: string; to_name_en: string } | null
  at: string
  reason: string | null
  evidence: Evidence[]
  from_step: string
  to_step: string
}

export interface Verb {
  verb: string
  zh: string
  en: string
  needs: string[]
  shortcut: string | null
}

export interface Suggestion {
  unit: string
  unit_zh: string
  unit_en: string
  reason_zh: string
  reason_en: string
  row: string | number | Record<string, unknown> | null
}

export interface Voice {
  id?: string
  number?: string
  text?: string | null
  created?: string
  address?: string
  photos?: { sha256: string; url: string }[]
  reason_zh?: string
  reason_en?: string
  [key: string]: unknown
}

/** One's own last step, and until when it may be taken back. */
export interface Undo {
  verb: string
  zh: string
  en: string
  until: string
}

export interface CaseFull extends Case {
  /** Whether someone could be sent there. */
  placed?: boolean
  undo?: Undo | null
  history: Deed[]
  verbs: Verb[]
  suggestion: Suggestion | null
  voices_list?: Voice[]
  clocks: {
    citizen: { started: string | null; elapsed_s: number | null } | null
    duty: { holder: string | null; started: string | null; due: string | null; left_s: number | null; state: string; used_s?: number } | null
  }
}

/** Where a thing is: a point, or an area of the city. */
export interface Spot {
  lon?: number
  lat?: number
  area?: string
  address?: string
}

export interface Deal extends Spot {
  version: number
  reason?: string
  unit?: string
  class?: string
  evidence?: string[]
  note?: string
  result?: string
  until?: string
  once?: string
}

export interface CaseQuery {
  [key: string]: string | number | undefined
  state?: string
  step?: string
  area?: string
  mine?: number
  order?: 'due' | 'opened'
  q?: string
  limit?: number
  after?: string
}

/** `voices` is a count in a list and the voices themselves in one case: both are kept. */
type Told = Omit<CaseFull, 'voices' | 'voices_list'> & { voices: Voice[] | number }

function settled(told: Told): CaseFull {
  const heard = Array.isArray(told.voices) ? told.voices : []
  return { ...told, voices: Array.isArray(told.voices) ? heard.length : told.voices, voices_list: heard }
}

/** 今日闭环 of the asker's whole scope, counted by the desk. */
export interface CaseCounts {
  received: number
  open: number
  overdue: number
  closed: number
}

export interface CasePage extends Page<Case> {
  counts?: CaseCounts
}

export const listCases = (query: CaseQuery) => get<CasePage>('/api/cases', query)
export const readCase = async (id: string) => settled(await get<Told>(`/api/cases/${part(id)}`))
/** A class of the duty catalogue; `sample`: a case of it that still waits for a unit, if there is one. */
export interface CaseClass {
  class: string
  class_zh: string
  class_en: string
  sample: string | null
}

const WAITING = ['file', 'dispatch']

/** The classes that cases here have had: the catalogue itself has no address, so a class nobody used yet is not among them. */
export async function listClasses(): Promise<CaseClass[]> {
  const found = new Map<string, CaseClass>()
  for (const one of (await listCases({ limit: 500 })).items) {
    if (!one.class) continue
    const held = found.get(one.class) ?? { class: one.class, class_zh: one.class_zh, class_en: one.class_en, sample: null }
    found.set(one.class, { ...held, sample: held.sample ?? (WAITING.includes(one.step) ? one.id : null) })
  }
  return [...found.values()]
}
export const openCase = (body: Record<string, unknown>) => send<Case>('POST', '/api/cases', body)
export const dealCase = (id: string, verb: string, deal: Deal) => send<CaseFull>('POST', `/api/cases/${part(id)}/${part(verb)}`, deal)
