// The themes of the city's plans (防汛, 高温 …), as the table of modes names them; asked once.
import { defineStore } from 'pinia'
import { ref } from 'vue'
import { listRows } from '@/api/tables'
import { asProblem, type Problem } from '@/api/http'
import { take } from '@/say/pick'

export interface Theme {
  theme: string
  zh: string
  en: string
}

export const useThemes = defineStore('themes', () => {
  const themes = ref<Theme[]>([])
  const problem = ref<Problem | null>(null)
  let asked: Promise<void> | null = null

  function load(): Promise<void> {
    asked ??= listRows('modes').then(
      (rows) => {
        themes.value = rows.filter((row) => row.effect === 'name').map((row) => ({ theme: String(row.theme), zh: String(row.zh), en: String(row.en) }))
        problem.value = null
      },
      (error) => {
        asked = null
        problem.value = asProblem(error)
      },
    )
    return asked
  }
  const named = (theme: string, language: string) => take(themes.value.find((one) => one.theme === theme), '', language) || theme
  return { themes, problem, load, named }
})
