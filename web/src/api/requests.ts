// One person's voice.
import { get, part, send, type Page } from './http'

export interface Report {
  text: string
  lon?: number
  lat?: number
  area?: string
  class?: string
  /** Random and the sender's own: the same report sent again stays one. */
  external?: string
}

/** What a reporter keeps. `follow` is there for who has no account: it alone opens the report again. */
export interface Receipt {
  number: string
  follow?: string | null
}

export function fileRequest(report: Report, photo: File | null): Promise<Receipt> {
  if (!photo) return send<Receipt>('POST', '/api/requests', report)
  const form = new FormData()
  for (const [key, value] of Object.entries(report)) if (value !== undefined) form.append(key, String(value))
  form.append('photo', photo, photo.name)
  return send<Receipt>('POST', '/api/requests', form)
}

export interface ResultWord {
  verb: 'solved' | 'unsolved'
  zh: string
  en: string
}

/** How it ended: photographs before and after, and what its reporter may say, or has said, of it. */
export interface Result {
  before: { sha256: string; url: string }[]
  after: { sha256: string; url: string }[]
  may: boolean
  verbs: ResultWord[]
  said: (ResultWord & { at: string }) | null
}

export interface RequestProgress {
  result?: Result | null
  number: string
  state: string
  state_zh?: string
  state_en?: string
  answer: string | null
  answered: string | null
  /** Before there is a case: who must take it up, since when and until when. */
  waiting?: { holder_zh: string; holder_en: string; since: string; due: string | null } | null
  /** Said to have solved nothing: the answer before, until there is another. */
  earlier?: { answer: string; at: string } | null
  case: { number: string; step: string; step_zh: string; step_en: string; holder_zh: string; holder_en: string; since: string; due: string | null; closed: string | null; reopened: number } | null
}

/** What who is signed in has reported, newest first. */
export const listOwn = async () => (await get<Page<{ number: string; text: string | null; created: string }>>('/api/requests', { limit: 20 })).items

const at = (told: Receipt) => (told.follow ? `/api/follow/${part(told.follow)}` : `/api/requests/${part(told.number)}`)
export const readRequest = (told: Receipt) => get<RequestProgress>(at(told))
export const sayResult = (told: Receipt, verb: ResultWord['verb']) => send<RequestProgress>('POST', `${at(told)}/${verb}`)
