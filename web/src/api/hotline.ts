// The desk's side of what people say: which voices wait, what is proposed of them, and what is done with them.
import type { Reason, Spot, Voice } from './cases'
import { get, part, send, type Page } from './http'
import type { LeadLink, LeadRight } from './leads'

/** `accept`: for a decision or an answer; `call`: answered, to be called back. */
export type Waits = 'accept' | 'call'
export type HotlineVerb = 'answer' | 'transfer' | 'refuse' | 'receive' | 'call_back' | 'missed'

export interface HotlineRow {
  id: string
  number: string
  source: string
  class: string
  text: string | null
  address: string
  area: string
  area_name_zh: string
  area_name_en: string
  lon: number | null
  lat: number | null
  created: string
  state: string
  state_zh: string
  state_en: string
  answer: string | null
  answered: string | null
  closed: string | null
  calls: number
  satisfied: number | null
  outcome: string
  repeats: boolean
  flags: string[]
  version: number
  lead: string | null
  case_id: string | null
  case_number?: string | null
  case_step?: string | null
}

export interface Proposal {
  class: string
  /** How sure the assistant is, 0 to 1; null where a word of the catalogue stands in it. */
  share: number | null
  reasons: string[]
}

export interface Entry {
  code: string
  title: string
  title_en: string
  text: string
  text_en: string
  class?: string
  owner: string
  basis: string
  basis_en: string
  until: string | null
}

export interface HotlineLink {
  id: number
  lead: string
  number: string
  kind: string
  title_zh: string
  title_en: string
  reason_zh: string
  reason_en: string
}

export interface HotlineMove {
  verb: HotlineVerb
  zh: string
  en: string
  needs: string[]
  reasons: Reason[]
}

export interface HotlineFull extends HotlineRow {
  proposed?: Proposal[]
  knowledge?: Entry[]
  links?: HotlineLink[]
  may?: HotlineMove[]
  /** So many voices tell of the same thing, with this one. */
  together?: number
  /** These voices, what joined them, and whether the viewer may take a join out. */
  heard?: Voice[]
  joined?: LeadLink[]
  lead_may?: LeadRight[]
  photos?: { sha256: string; url: string }[]
  /** How they spoke, and what may be seen of their number. */
  by?: '' | 'phone' | 'account' | 'receipt'
  caller?: string
  case: { number: string; step: string; step_zh: string; step_en: string; holder_zh: string; holder_en: string; since: string; due: string | null; closed: string | null } | null
  result: { before: { sha256: string; url: string }[]; after: { sha256: string; url: string }[] } | null
}

export interface Told {
  version?: number
  answer?: string
  reason?: string
  code?: string
  unit?: string
  knowledge?: string
  result?: 'solved' | 'unsolved'
  satisfied?: number
}

export interface Call extends Spot {
  text: string
  class?: string
  caller?: string
}

export interface Share {
  count: number
  of: number
  share: number | null
  low: number
  high: number
}

export interface Assisted {
  since: string
  adoption: { said: Share; first: Share; first_three: Share }
  first_dispatch: { sent: Share }
}

export const listWaiting = async (waits: Waits) => (await get<Page<HotlineRow>>('/api/requests', { waits, limit: 500 })).items
export const readVoice = (id: string) => get<HotlineFull>(`/api/requests/${part(id)}`)
export const settleVoice = (id: string, verb: HotlineVerb, told: Told = {}) => send<HotlineFull>('POST', `/api/requests/${part(id)}/${verb}`, told)
export const readCaller = async (id: string) => (await get<{ caller: string }>(`/api/requests/${part(id)}/caller`)).caller
export const takeCall = (call: Call) => send<{ id: string; number: string }>('POST', '/api/requests', { ...call, channel: 'phone' })
export const proposeFor = (text: string) => send<{ classes: Proposal[]; knowledge: Entry[] }>('POST', '/api/assist', { text })
export const readAssisted = () => get<Assisted>('/api/assist')
