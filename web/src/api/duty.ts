// The watch: who is in charge, who stands which shift, the handover sheet, the sheets of before, and leaders' instructions.
import { get, part, send, type Page } from './http'

/** One person's turn on the roster. */
export interface Turn {
  theme: string
  shift: string
  post: string
  post_zh: string
  post_en: string
  name: string
  name_en: string
  account: string
  phone: string
  from: string
  to: string
  /** Of those whose turn it is: whether the watch was handed to them. */
  in_charge?: boolean
}

export interface SheetCase {
  id: string
  number: string
  class_zh?: string
  class_en?: string
  title_zh: string | null
  title_en: string | null
  address?: string | null
  step: string
  mark?: string
  holder_zh: string | null
  holder_en: string | null
  voices: number
  due: string | null
  held_due: string | null
}

/** So many there are, and the first of them. */
export interface CasesOf {
  count: number
  items: SheetCase[]
}

export interface Warned {
  id: string
  number: string
  issuer: string
  colour: string
  title_zh: string
  title_en: string
  text_zh: string
  text_en: string
  onset: string
  expires: string | null
  drill: boolean
}

/** A response, a mode, an incident, a report or an order: whatever the centre holds and has a title or a kind. */
export interface Held {
  id: string
  number: string
  title_zh?: string
  title_en?: string
  kind_zh?: string
  kind_en?: string
  state_zh?: string
  state_en?: string
  unit_zh?: string
  unit_en?: string
  incident?: string | null
  incident_zh?: string
  incident_en?: string
  started?: string
  opened?: string
  sent?: string | null
  due?: string | null
  late?: boolean
}

export interface Silent {
  finding: string
  indicator?: string
  zh: string
  en: string
  area: string
  area_name_zh: string
  area_name_en: string
  since: string
}

export interface Instruction {
  id: string
  number: string
  leader_name: string
  leader_name_zh?: string
  leader_name_en?: string
  text: string
  case: string
  case_number: string
  made: string
  until: string | null
  late: boolean
  holder_zh?: string
  holder_en?: string
  step_zh?: string
  step_en?: string
  open?: boolean
  closed?: string | null
}

export interface Sheet {
  at: string
  open: CasesOf
  near: CasesOf
  overdue: CasesOf
  parts_overdue: CasesOf
  voices: CasesOf
  warnings: Warned[]
  responses: Held[]
  modes: Held[]
  incidents: Held[]
  reports: Held[]
  silent: Silent[]
  instructions: Instruction[]
  orders: Held[]
  roster: Turn[]
  /** Voices nobody has accepted yet; a sheet signed before they were counted has none. */
  waiting_voices?: { count: number; oldest: string | null }
  memo: string
}

export interface Handover {
  id: string
  number: string
  state: 'frozen' | 'finished' | 'superseded'
  state_zh: string
  state_en: string
  outgoing: string
  outgoing_name_zh: string
  outgoing_name_en: string
  incoming: string
  incoming_name_zh: string
  incoming_name_en: string
  signed_by_name_zh?: string
  signed_by_name_en?: string
  expected: string
  /** Nobody was in charge who could hand over. */
  first: boolean
  signed_out: string
  signed_in: string | null
  memo: string
  digest: string
  version: number
  /** Whoever may not sign sees that there is a sheet, and no sheet. */
  document: (Sheet & { signed_by: { id: string; name: string } }) | null
}

export interface Duty {
  in_charge: { id: string; name_zh: string; name_en: string; since: string; handover: string } | null
  on_duty: Turn[]
  coming: Turn | null
  roster: Turn[]
  waiting: Handover | null
  draft: Sheet
  may: string[]
}

export const readDuty = () => get<Duty>('/api/duty')
export const listHandovers = async () => (await get<Page<Handover>>('/api/duty/handovers')).items
export const readHandover = (id: string) => get<Handover>(`/api/duty/handovers/${part(id)}`)
export const handOver = (memo: string) => send<Handover>('POST', '/api/duty/handover', { memo })
export const takeOver = (id: string, version: number) => send<Handover>('POST', `/api/duty/handover/${part(id)}/sign`, { version })
export const listInstructions = async () => (await get<Page<Instruction>>('/api/instructions')).items
export const instruct = (given: { text: string; until: string; case?: string; area?: string }) => send<Instruction>('POST', '/api/instructions', given)
