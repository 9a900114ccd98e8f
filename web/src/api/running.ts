// How the program itself is doing.
import { get } from './http'

export interface Measure {
  name: string
  zh: string
  en: string
  unit: string
  /** null: it cannot be known now. */
  value: number | null
  limit: number
  /** Whether the limit is the least it may be. */
  least: boolean
  well: boolean
  remedy_zh: string
  remedy_en: string
}
export interface Running {
  ready: boolean
  items: Measure[]
  failing: string[]
  version: string
  started: string | null
}

export const readRunning = () => get<Running>('/api/running')
