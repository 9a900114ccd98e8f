// One person's voice.
import { send } from './http'

export interface Report {
  text: string
  lon?: number
  lat?: number
  class?: string
  photo?: string
}

export const fileRequest = (report: Report) => send<{ id: string; number: string }>('POST', '/api/requests', report)
