// One person's voice.
import { get, part, send } from './http'

export interface Report {
  text: string
  lon?: number
  lat?: number
  area?: string
  class?: string
  photo?: string
}

export const fileRequest = (report: Report) => send<{ id: string; number: string }>('POST', '/api/requests', report)

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
  answer: string | null
  answered: string | null
  case: { number: string; step_zh: string; step_en: string; holder_zh: string; holder_en: string; since: string; due: string | null; closed: string | null; reopened: number } | null
}

export const readRequest = (number: string) => get<RequestProgress>(`/api/requests/${part(number)}`)
export const sayResult = (number: string, verb: ResultWord['verb']) => send<RequestProgress>('POST', `/api/requests/${part(number)}/${verb}`)
