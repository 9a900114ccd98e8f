// What areas, departments and posts did in a span of days, each beside itself before; and the cases behind a figure.
import { get, withQuery } from './http'

export type Of = 'area' | 'department' | 'post'

export interface Measure {
  key: string
  zh: string
  en: string
  unit: string
  /** More is better. */
  more: boolean
}

export type Values = Record<string, number | null>

export interface Evaluated {
  name: string
  name_zh: string
  name_en: string
  values: Values
  before: Values
  year: Values
  score: number | null
  cases: number
}

export interface LeftOut {
  id: string
  number: string
  title_zh: string
  title_en: string
  at: string
  reason: string
  by_zh: string
  by_en: string
}

export interface Weight {
  indicator: string
  weight: number
  basis: string
  basis_en: string
  since: string
  from: string
}

export interface Evaluation {
  object: Of
  from: string
  to: string
  area: string
  area_name_zh: string
  area_name_en: string
  measures: Measure[]
  items: Evaluated[]
  left_out: LeftOut[]
  weights: Weight[]
}

export interface Behind {
  id: string
  number: string
  title_zh: string
  title_en: string
  class_zh: string
  class_en: string
  step: string
  /** Above the line of a share, not only below it. */
  counted: boolean
  late: boolean
}

export interface Asked {
  [key: string]: string | undefined
  of: Of
  area?: string
  from?: string
  to?: string
}

export const readEvaluation = (asked: Asked) => get<Evaluation>('/api/evaluation', asked)
export const readBehind = async (asked: Asked, name: string, measure: string) => (await get<{ items: Behind[] }>('/api/evaluation/cases', { ...asked, name, measure })).items
export const fileOf = (form: 'xlsx' | 'pdf', asked: Asked, language: string) => withQuery(`/api/evaluation.${form}`, { ...asked, language: language.startsWith('zh') ? 'zh' : 'en' })
