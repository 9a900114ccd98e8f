// The open stream of changes, shared by all views: subscribe first, fetch at `open`, apply what comes.
import { defineStore } from 'pinia'
import { ref } from 'vue'
import { listen, type Changes, type Topic } from '@/api/live'
import { useCity } from './city'

type Hear<T extends Topic> = (change: Changes[T]) => void

export const useWatch = defineStore('watch', () => {
  const state = ref<'waiting' | 'live' | 'lost'>('waiting')
  const delayMs = ref<number | null>(null)
  const heardAt = ref<number | null>(null)
  const hearers = new Map<Topic | 'open', Set<(change: never) => void>>()
  let stop: (() => void) | null = null
  let users = 0

  function tell(topic: Topic | 'open', change: unknown) {
    for (const hear of hearers.get(topic) ?? []) hear(change as never)
  }

  function start() {
    const city = useCity()
    stop = listen({
      onOpen: () => {
        state.value = 'live'
        tell('open', null)
      },
      onLost: () => {
        state.value = 'lost'
      },
      onChange: (topic, change) => {
        state.value = 'live'
        heardAt.value = Date.now()
        if (topic === 'clock') {
          const clock = change as Changes['clock']
          delayMs.value = clock.delay_ms
          city.setClock(clock)
        }
        tell(topic === 'reset' ? 'open' : topic, change)
      },
    })
  }

  /** Hear a topic; 'open' means: fetch everything again. Returns how to stop hearing. */
  function on<T extends Topic>(topic: T, hear: Hear<T>): () => void
  function on(topic: 'open', hear: () => void): () => void
  function on(topic: Topic | 'open', hear: (change: never) => void): () => void {
    const set = hearers.get(topic) ?? new Set()
    hearers.set(topic, set)
    set.add(hear)
    if (users === 0) start()
    users += 1
    return () => {
      if (!set.delete(hear)) return
      users -= 1
      if (users === 0) {
        stop?.()
        stop = null
        state.value = 'waiting'
      }
    }
  }

  return { state, delayMs, heardAt, on }
})
