// The names of organisations by their short id, asked once.
import { defineStore } from 'pinia'
import { ref } from 'vue'
import { listEntities, type Entity } from '@/api/entities'
import { take } from '@/say/pick'

export interface Unit {
  id: string
  name_zh: string
  name_en: string
}

export const shortId = (id: string) => id.replace(/^urn:zs:\w+:/, '')

export const useUnits = defineStore('units', () => {
  const units = ref<Map<string, Unit>>(new Map())
  let asked: Promise<void> | null = null

  function load(): Promise<void> {
    asked ??= listEntities({ type: 'Organisation', limit: 500 }).then(
      ({ items }) => {
        units.value = new Map(items.map((e: Entity) => [shortId(e.id), { id: shortId(e.id), name_zh: e.name_zh, name_en: e.name_en }]))
      },
      () => {
        asked = null
      },
    )
    return asked
  }

  /** The unit's name in the reader's language, or what was told if it is not registered. */
  function name(told: string | null | undefined, language: string): string {
    if (!told) return ''
    return take(units.value.get(shortId(told)), 'name', language) || told
  }

  return { units, load, name }
})
