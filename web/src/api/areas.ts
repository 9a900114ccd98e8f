// City › district › street › community › cell; codes are strings of 15 digits.
import { get, part, type Page } from './http'

export type AreaLevel = 'city' | 'district' | 'street' | 'community' | 'cell'

export interface Geometry {
  type: 'Polygon' | 'MultiPolygon'
  coordinates: unknown[]
}

export interface AreaItem {
  code: string
  name_zh: string
  name_en: string
  level: AreaLevel
  centre?: [number, number]
  geometry?: Geometry
}

export interface Area extends AreaItem {
  official: string | null
  population: number | null
  parent: string | null
  children: AreaItem[]
}

export const readArea = (code: string) => get<Area>(`/api/areas/${part(code)}`)
export const listAreas = (level: AreaLevel, geometry = false) =>
  get<Page<AreaItem>>('/api/areas', { level, geometry: geometry ? 1 : undefined, limit: 2000 })
