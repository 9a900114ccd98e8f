// Doing something once: busy while it is sent, the refusal kept for the reader.
import { ref, shallowRef } from 'vue'
import { asProblem, type Problem } from '@/api/http'

export function useDeed() {
  const busy = ref(false)
  const wrong = shallowRef<Problem | null>(null)
  async function run<T>(deed: () => Promise<T>): Promise<T | null> {
    if (busy.value) return null
    busy.value = true
    wrong.value = null
    try {
      return await deed()
    } catch (error) {
      wrong.value = asProblem(error)
      return null
    } finally {
      busy.value = false
    }
  }
  return { busy, wrong, run }
}
