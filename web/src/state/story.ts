// The sandbox's story: begun by the first page that opens, read while it runs.
import { defineStore } from 'pinia'
import { computed, ref, watch as whenever } from 'vue'
import { readStory, startStory, takeSeat, type Story } from '@/api/story'
import { readCase } from '@/api/cases'
import { asProblem, type Problem } from '@/api/http'
import { useSession } from './session'

const RUNNING_MS = 1500
const RESTING_MS = 8000

export const useStory = defineStore('story', () => {
  const story = ref<Story | null>(null)
  const problem = ref<Problem | null>(null)
  const busy = ref(false)
  let timer: ReturnType<typeof setTimeout> | undefined
  let users = 0
  let begun = false

  /** Whether this viewer may see the story's case; null while it is not known. */
  const seen = ref<boolean | null>(null)
  const session = useSession()
  whenever(
    () => [story.value?.phone?.case, session.principal?.id] as const,
    async ([id]) => {
      seen.value = null
      if (!id) return
      try {
        await readCase(id)
        seen.value = true
      } catch (error) {
        seen.value = ![401, 403, 404].includes(asProblem(error).status)
      }
    },
    { immediate: true },
  )

  const done = computed(() => story.value?.steps.filter((step) => step.at).length ?? 0)
  const running = computed(() => Boolean(story.value?.started && story.value.steps.length && done.value < story.value.steps.length))

  async function load() {
    try {
      story.value = await readStory()
      problem.value = null
      if (!story.value.started && !begun) await start()
    } catch (error) {
      problem.value = asProblem(error)
    }
  }

  async function start() {
    begun = true
    busy.value = true
    try {
      await startStory()
      story.value = await readStory()
    } catch (error) {
      problem.value = asProblem(error)
    } finally {
      busy.value = false
    }
  }

  async function follow() {
    await load()
    clearTimeout(timer)
    if (users > 0) timer = setTimeout(follow, running.value ? RUNNING_MS : RESTING_MS)
  }

  /** Follow the story while a view is open; returns how to stop. */
  function watch(): () => void {
    users += 1
    if (users === 1) void follow()
    return () => {
      users -= 1
      if (users === 0) clearTimeout(timer)
    }
  }

  const hear = () => void load()

  /** Read the story once, without beginning it. */
  async function look() {
    try {
      story.value ??= await readStory()
    } catch (error) {
      problem.value = asProblem(error)
    }
  }

  async function again() {
    await start()
    clearTimeout(timer)
    void follow()
  }

  const seat = (name: string) => takeSeat(name)
  return { story, problem, busy, seen, done, running, watch, again, hear, look, seat }
})
