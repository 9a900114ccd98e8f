// The last deed of whoever sits here: said once, and for ten seconds of the city's time it may be taken back.
import { computed, onScopeDispose, ref, shallowRef } from 'vue'
import { asProblem, type Problem } from '@/api/http'
import { useCity } from '@/state/city'

export interface Said {
  words: string
  /** Until when it may be taken back, in ms; null: it may not. */
  until: number | null
  undo?: () => Promise<unknown>
  /** What the page does once it is taken back. */
  back?: () => unknown
  undone?: string
}

const HOLD_MS = 10_000
const said = shallowRef<Said | null>(null)
const problem = ref<Problem | null>(null)
const busy = ref(false)
let hush: ReturnType<typeof setTimeout> | undefined

/** What went wrong with what is open: said in its place, or, where something else is open by then, where deeds are told of. */
export function useWrong(open: () => string) {
  const wrong = ref<Problem | null>(null)
  let gone = false
  onScopeDispose(() => (gone = true))
  function fail(error: unknown, id: string): Problem {
    const told = asProblem(error)
    ;(gone || open() !== id ? problem : wrong).value = told
    return told
  }
  return { wrong, fail }
}

export function useUndo() {
  const city = useCity()
  const left = computed(() => (said.value?.until ? Math.min(HOLD_MS / 1000, Math.ceil((said.value.until - city.now) / 1000)) : 0))

  function tell(what: Said) {
    clearTimeout(hush)
    said.value = what
    problem.value = null
    hush = setTimeout(() => (said.value = said.value === what ? null : said.value), HOLD_MS)
  }

  async function undo() {
    const what = said.value
    if (!what?.undo || busy.value || left.value <= 0) return
    busy.value = true
    try {
      await what.undo()
      await what.back?.()
      tell({ words: what.undone ?? what.words, until: null })
    } catch (error) {
      said.value = null
      problem.value = asProblem(error)
    } finally {
      busy.value = false
    }
  }

  function close() {
    said.value = null
    problem.value = null
  }

  return { said, problem, busy, left, tell, undo, close, untilOf: (told: string | null | undefined) => (told ? Date.parse(told) : null), soon: () => city.now + HOLD_MS }
}
