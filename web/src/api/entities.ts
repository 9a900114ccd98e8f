// Anything with an id: device, road, organisation.
import { get, type Page } from './http'

export interface Entity {
  id: string
  type: string
  name_zh: string
  name_en: string
  area: string
  lon: number | null
  lat: number | null
  owner: string | null
  grade: string | null
  facets: Record<string, unknown>
}

export const listEntities = (query: { type?: string; area?: string; q?: string; limit?: number; after?: string }) =>
  get<Page<Entity>>('/api/entities', query)
