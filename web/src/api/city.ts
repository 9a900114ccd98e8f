// The city itself: name, place, clock.
import { get } from './http'

export interface CityClock {
  mode: string
  speed: number
  now: string
}

export interface City {
  name_zh: string
  name_en: string
  code: string
  population: number
  time_zone: string
  centre: [number, number]
  bounds: [number, number, number, number]
  sandbox: boolean
  clock: CityClock
  devices: number
  indicators: number
  map: string | null
  crs: string
  /** Whose data the city is made of, where that must be said. */
  attribution: string | null
}

export interface Health {
  status: string
  version: string
  clock: CityClock
  readings: { accepted: number; quarantined: number; duplicates: number; by_source: Record<string, Record<string, number>> }
  journal: { head: number; lake: number; snapshot: number }
}

export const readCity = () => get<City>('/api/city')
export const readHealth = () => get<Health>('/health')
