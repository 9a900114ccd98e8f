// The training ground: what lessons there are, attempts at them, and the look back.
import { get, part, send } from './http'

export interface Lesson {
  id: string
  zh: string
  en: string
  about_zh: string
  about_en: string
  lasts_s: number
  tasks: number
  /** Whose seats the learners take. */
  seats: string[]
  /** Whether what happens in it can happen in this city. */
  playable: boolean
}

export interface LessonTask {
  id: string
  zh: string
  en: string
  link: string
  within_s: number
  points: number
  earned: number
  state: 'open' | 'done' | 'late'
  took_s: number | null
  by: string
  by_name_zh: string
  by_name_en: string
  subject: string
  /** The line of the ledger that made it done. */
  line: number | null
}

export interface LessonDeed {
  line: number
  at: string
  after_s: number
  actor: string
  actor_name_zh: string
  actor_name_en: string
  deed: string
  zh: string
  en: string
  subject: string
  link: string
}

export interface Attempt {
  attempt: number
  lesson: string
  zh: string
  en: string
  begun: string
  begun_by: string
  begun_by_name_zh: string
  begun_by_name_en: string
  ended: string | null
  points: number
  of: number
  lasts_s: number
  left_s: number
  tasks: LessonTask[]
  /** Of one attempt alone: what people did meanwhile, in order. */
  deeds: LessonDeed[]
}

export interface Lessons {
  items: Lesson[]
  running: Attempt | null
  attempts: Attempt[]
  may: boolean
}

export const listLessons = () => get<Lessons>('/api/lessons')
export const readAttempt = (attempt: string | number) => get<Attempt>(`/api/lessons/${part(String(attempt))}`)
export const beginLesson = (id: string) => send<Attempt>('POST', `/api/lessons/${part(id)}/begin`, {})
export const endLesson = (attempt: number) => send<Attempt>('POST', `/api/lessons/${attempt}/end`, {})
