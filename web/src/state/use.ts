// Ties a fetch and the stream to the life of a view.
import { onScopeDispose, ref, shallowRef, type Ref, type ShallowRef } from 'vue'
import { asProblem, type Problem } from '@/api/http'
import type { Changes, Topic } from '@/api/live'
import { useWatch } from './watch'

export interface Fetched<T> {
  data: ShallowRef<T | null>
  problem: Ref<Problem | null>
  loading: Ref<boolean>
  load: () => Promise<void>
}

/** The latest answer wins, and whoever asked before waits for it too; an error keeps the last good answer on the page. */
export function useFetched<T>(fetch: () => Promise<T>): Fetched<T> {
  const data = shallowRef<T | null>(null)
  const problem = ref<Problem | null>(null) as Ref<Problem | null>
  const loading = ref(false)
  let turn = 0
  let latest: Promise<void> = Promise.resolve()
  const load = () => (latest = ask(++turn))
  async function ask(mine: number): Promise<void> {
    loading.value = true
    try {
      const answer = await fetch()
      if (mine !== turn) return latest
      data.value = answer
      problem.value = null
    } catch (error) {
      if (mine !== turn) return latest
      problem.value = asProblem(error)
    } finally {
      if (mine === turn) loading.value = false
    }
  }
  return { data, problem, loading, load }
}

export function useHearing<T extends Topic>(topic: T, hear: (change: Changes[T]) => void): void
export function useHearing(topic: 'open', hear: () => void): void
export function useHearing(topic: Topic | 'open', hear: (change: never) => void): void {
  const watch = useWatch()
  onScopeDispose(watch.on(topic as Topic, hear as (change: Changes[Topic]) => void))
}

/** Runs at most once in `ms`, with the last call always answered. */
export function calmly(run: () => unknown, ms: number): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined
  let last = 0
  onScopeDispose(() => clearTimeout(timer))
  return () => {
    clearTimeout(timer)
    const wait = Math.max(0, last + ms - Date.now())
    timer = setTimeout(() => {
      last = Date.now()
      run()
    }, wait)
  }
}

export function useEvery(ms: number, run: () => unknown) {
  const timer = setInterval(run, ms)
  onScopeDispose(() => clearInterval(timer))
}
