// The stream of changes (SSE). It must never know a view.
import { withQuery } from './http'
import type { Level } from './vitals'
import type { Finding } from './findings'
import type { RunState } from './foresight'
import type { Lead } from './leads'

/** What is told of something at the centre: which it is, and that it changed. An order's or report's comes as its incident's. */
export interface Told {
  id: string
  incident?: string
  noun: string
  verb: string
}

export interface Changes {
  vital: { items: { indicator: string; area: string; value: number | null; level: Level; as_of: string }[] }
  finding: Finding
  lead: Partial<Lead>
  case: { id: string; number: string; step: string; holder: string | null; area: string; [key: string]: unknown }
  clock: { now: string; speed: number; delay_ms: number | null }
  reading: { source: string; total: number }
  story: unknown
  warning: Told
  response: Told
  mode: Told
  incident: Told
  handover: unknown
  run: { id: string; state: RunState; progress: number }
  reset: unknown
}

export type Topic = keyof Changes
export const TOPICS: Topic[] = ['vital', 'finding', 'lead', 'case', 'clock', 'reading', 'story', 'warning', 'response', 'mode', 'incident', 'handover', 'run', 'reset']

export interface Ears {
  onOpen: () => void
  onLost: () => void
  onChange: <T extends Topic>(topic: T, change: Changes[T]) => void
}

const PATIENCE_MS = [1000, 2000, 5000, 10000]

/** Listen for ever; the browser sends Last-Event-ID when it reconnects by itself. Returns how to stop. */
export function listen(ears: Ears): () => void {
  let stream: EventSource | null = null
  let wait: ReturnType<typeof setTimeout> | undefined
  let tries = 0
  let stopped = false
  let last = ''

  function open() {
    stream = new EventSource(withQuery('/api/live', { topics: TOPICS.filter((topic) => topic !== 'reset').join(), last }))
    stream.onopen = () => {
      tries = 0
      ears.onOpen()
    }
    stream.onerror = () => {
      ears.onLost()
      if (stream?.readyState !== EventSource.CLOSED || stopped) return
      wait = setTimeout(open, PATIENCE_MS[Math.min(tries, PATIENCE_MS.length - 1)])
      tries += 1
    }
    for (const topic of TOPICS) {
      stream.addEventListener(topic, (event) => {
        const text = (event as MessageEvent<string>).data
        last = (event as MessageEvent<string>).lastEventId
        try {
          ears.onChange(topic, (text ? JSON.parse(text) : null) as Changes[Topic])
        } catch (error) {
          console.error('unreadable change', topic, error)
        }
      })
    }
  }

  open()
  return () => {
    stopped = true
    clearTimeout(wait)
    stream?.close()
  }
}
