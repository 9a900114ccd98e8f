// The names of areas by their code, asked once: city, districts and streets together, what is finer one at a time.
import { defineStore } from 'pinia'
import { computed, ref } from 'vue'
import { listAreas, readArea, type AreaItem } from '@/api/areas'
import { take } from '@/say/pick'

export const usePlaces = defineStore('places', () => {
  const known = ref(new Map<string, AreaItem>())
  let asked: Promise<void> | null = null

  function load(): Promise<void> {
    asked ??= Promise.all((['city', 'district', 'street'] as const).map((level) => listAreas(level))).then(
      (pages) => {
        known.value = new Map(pages.flatMap((page) => page.items).map((one) => [one.code, one]))
      },
      (error) => {
        asked = null
        console.warn(error)
      },
    )
    return asked
  }
  async function find(codes: string[]) {
    await load()
    for (const code of codes.filter((one) => !known.value.has(one))) {
      try {
        known.value = new Map(known.value).set(code, await readArea(code))
      } catch (error) {
        console.warn(error)
      }
    }
  }
  const named = (code: string, language: string) => take(known.value.get(code), 'name', language) || code
  const list = (codes: string[], language: string) => codes.map((code) => named(code, language)).join(language.startsWith('zh') ? '、' : ', ')
  const at = (level: string) => computed(() => [...known.value.values()].filter((one) => one.level === level))
  return { known, load, find, named, list, at }
})
