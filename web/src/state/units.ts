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

const CODE = /^(dept|street|unit|org)-[\w-]+$/

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

  /** The unit's name in the reader's language; nothing if it is not registered. */
  const named = (told: string | null | undefined, language: string): string => (told ? take(units.value.get(shortId(told)), 'name', language) : '')
  /** Whether what stands for a name is a unit's code. */
  const coded = (told: string): boolean => units.value.has(told) || CODE.test(told)

  return { units, load, named, coded }
})
