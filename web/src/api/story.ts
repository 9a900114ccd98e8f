// The sandbox's storm, told in eight steps.
import { get, part, send } from './http'
import type { Principal } from './session'

export interface StoryStep {
  key: string
  zh: string
  en: string
  at: string | null
  link: string | null
}

export interface Seat {
  seat: string
  zh: string
  en: string
  account: string
  taken_by_robot: boolean
}

export interface Rain {
  centre: [number, number]
  radius_m: number
  mm_h: number
  path?: [number, number][]
}

export interface Story {
  started: boolean
  started_at: string | null
  phase: string
  steps: StoryStep[]
  rain: Rain | null
  phone: { case: string; state: string; photo: string | null } | null
  seats: Seat[]
}

export const readStory = () => get<Story>('/api/story')
export const startStory = () => send<Story>('POST', '/api/story/start', {})
export const takeSeat = (seat: string) => send<{ principal?: Principal }>('POST', `/api/story/seats/${part(seat)}`, {})
