// One thing to be settled, with its append-only history.
import { get, part, send, type Page } from './http'
import type { LeadLink, LeadRight } from './leads'
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
  /** Which part of the work it is in with whoever holds it now ('': none runs), and when that is due. */
  part?: string
  held_due?: string | null
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
  /** Beside the step: returned, disputed, parked, deferred, waiting, taken, passed. */
  mark?: string
  /** How far it has come with the unit it was sent to: '', delivered, read. */
  receipt?: string
  mark_zh?: string
  mark_en?: string
  unit?: string | null
  /** Who of the unit does it: '' for nobody yet; nothing where the reader may not know. */
  person?: string | null
  person_name_zh?: string | null
  person_name_en?: string | null
  helpers?: string[]
  danger?: boolean
  tier?: number
  reopened?: number
  urged?: number
  supervised?: string | null
  supervised_until?: string | null
  parked_until?: string | null
  /** The holder has asked for leave and waits for an answer. */
  asked?: Leave | null | Record<string, never>
}

/** A leave that is asked for: extend, park, defer or supplement. */
export interface Leave {
  what: string
  reason: string
  until: string
}

export interface Evidence {
  sha256: string
  content_type: string
  url: string
  /** When and where its camera says it was taken. */
  taken?: string | null
  lon?: number | null
  lat?: number | null
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
  /** When it was done, where that is told. */
  happened?: string
  reason: string | null
  evidence: Evidence[]
  from_step: string
  to_step: string
  note?: string | null
  unit?: string | null
  what?: string
  until?: string | null
  task?: { title_zh: string; title_en: string; unit: string } | null
  /** Whom it was assigned to. */
  person?: string | null
  person_name_zh?: string | null
  person_name_en?: string | null
}

export interface Verb {
  verb: string
  zh: string
  en: string
  needs: string[]
  shortcut: string | null
  /** Not what the case waits for: it stands in the second row of things. */
  aside?: boolean
  /** The reasons the city lists; where there are any, one of them must be given. */
  reasons?: Reason[]
}

export interface Reason {
  verb: string
  code: string
  zh: string
  en: string
}

/** One part of the way with one holder, and to whom its time is charged. */
export interface Holding {
  part: string
  holder: string
  charged: string
  from: string
  to: string | null
  due: string | null
  spent_s: number
  late: boolean
}

/** What another party does within a case. */
export interface Task {
  id: string
  kind: string
  kind_zh: string
  kind_en: string
  key: string
  title_zh: string
  title_en: string
  unit: string
  unit_zh: string
  unit_en: string
  state: string
  state_zh: string
  state_en: string
  needs: string[]
  checklist: string[]
  choices: { name: string; zh: string; en: string; options: { value: string; zh: string; en: string }[] }[]
  made: string
  due: string | null
  arrived: string | null
  ended: string | null
  late: boolean
  verbs: { verb: string; zh: string; en: string }[]
}

/** Where a case's playbook stands. */
export interface Running {
  key: string
  version: string
  name_zh: string
  name_en: string
  ended: boolean
  picture: Record<string, string>
}

export interface Ruling {
  /** On the same section of road, in the same street, or elsewhere. */
  near?: 'road' | 'street' | ''
  metres?: number | null
  road_zh?: string
  road_en?: string
  at: string
  reason: string
  note: string
  number: string
  address: string
  unit: string
  unit_zh: string
  unit_en: string
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
  /** The chain of command it lies in: the district's centre, and whether that commands it. */
  chain?: { unit: string; unit_zh: string; unit_en: string; supervision: 'city' | 'district'; below: boolean } | null
  voices_list?: Voice[]
  clocks: {
    citizen: { started: string | null; elapsed_s: number | null } | null
    duty: { holder: string | null; started: string | null; due: string | null; left_s: number | null; state: string; used_s?: number } | null
    part?: { part: string; holder: string | null; started: string | null; due: string | null; left_s: number | null; state: string; pause: string } | null
  }
  tasks?: Task[]
  playbook?: Running | null
  holdings?: Holding[]
  rulings?: Ruling[]
  /** What was joined to its lead, and whether the viewer may take it out. */
  links?: LeadLink[]
  lead_may?: LeadRight[]
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
  /** When it was done, where that is told later. */
  happened?: string
  /** A listed reason's. */
  code?: string
  /** Which leave is asked for, or which playbook is begun. */
  what?: string
  choices?: Record<string, string>
  /** Whom it is assigned to. */
  person?: string
}

/** Someone of the unit that holds a case, and how many cases they have in hand. */
export interface Colleague {
  id: string
  name_zh: string
  name_en: string
  open: number
}

export interface CaseQuery {
  [key: string]: string | number | undefined
  state?: string
  step?: string
  area?: string
  mine?: number
  order?: 'due' | 'next' | 'opened'
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
export const openCase = (body: Record<string, unknown>) => send<Case>('POST', '/api/cases', body)
export const dealCase = async (id: string, verb: string, deal: Deal) => settled(await send<Told>('POST', `/api/cases/${part(id)}/${part(verb)}`, deal))
export const listColleagues = async (id: string) => (await get<{ items: Colleague[] }>(`/api/cases/${part(id)}/people`)).items

/** A leave that waits for an answer, or nothing. */
export const leaveOf = (one: Case): Leave | null => (one.asked && 'what' in one.asked ? (one.asked as Leave) : null)
export const dealTask = async (id: string, task: string, verb: string, deal: Omit<Deal, 'version'>) =>
  settled(await send<Told>('POST', `/api/cases/${part(id)}/tasks/${part(task)}/${part(verb)}`, deal))
