// One person's voice.
import { get, part, send } from './http'

export interface Report {
  text: string
  lon?: number
  lat?: number
  class?: string
  photo?: string
}

export const fileRequest = (report: Report) => send<{ id: string; number: string }>('POST', '/api/requests', report)

export interface RequestProgress {
  number: string
  state: string
  answer: string | null
  answered: string | null
  case: { number: string; step_zh: string; step_en: string; holder_zh: string; holder_en: string; since: string; due: string | null; closed: string | null } | null
}

export const readRequest = (number: string) => get<RequestProgress>(`/api/requests/${part(number)}`)
