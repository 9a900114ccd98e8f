// Deeds done without a network wait here, in order, and are sent exactly once: each carries a key of its own and the time it was done.
// What the desk refuses stays, with its photographs and the reason, until whoever did it sends it again or discards it.
import { defineStore } from 'pinia'
import { computed, ref } from 'vue'
import { dealCase, dealTask, readCase } from '@/api/cases'
import { keepEvidence } from '@/api/evidence'
import { asProblem, Problem } from '@/api/http'
import { useCity } from './city'
import { useSession } from './session'
import { store } from './stored'

export interface Waiting {
  id?: number
  case: string
  /** The task of one's unit within the case, where it is not the case itself that is worked on. */
  task?: string
  choices?: Record<string, string>
  number: string
  title: string
  verb: string
  photos: Blob[]
  optional?: boolean
  note?: string
  reason?: string
  result?: string
  at: string
  once?: string
  /** Whose deed it is: a phone may pass from hand to hand. */
  who?: string
  /** Why the desk did not take it. */
  refused?: Pick<Problem, 'code' | 'status' | 'zh' | 'en'>
}

const RETRY_MS = 10_000
const SOON_MS = 1000
const TRIES = 3
const LATER = [0, 401, 408, 425, 429]
const BROKEN = 500
/** What reaches the desk at once happened when it arrives. */
const LATE_MS = 5000
const kept = store<Waiting>('zs.outbox', 'deeds', { keyPath: 'id', autoIncrement: true })

/** A key of its own for every deed: sent twice it still counts once. */
function key(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('')
}

/** Nobody has refused it: it was not heard, not answered whole, or the service is not well. It stays. */
const unsettled = (problem: Problem) => LATER.includes(problem.status) || problem.status >= BROKEN || problem.code === 'unreadable'

export const problemOf = ({ refused: told }: Waiting): Problem => new Problem(told!.code, told!.status, told!.zh, told!.en)

export const useOutbox = defineStore('outbox', () => {
  const session = useSession()
  const city = useCity()
  const held = ref<Waiting[]>([])
  const waiting = computed(() => held.value.filter((deed) => !deed.refused))
  const refused = computed(() => held.value.filter((deed) => deed.refused))
  /** What was refused of one case, or of one task in it, belongs together. */
  const cards = computed(() => {
    const found = new Map<string, Waiting[]>()
    for (const deed of refused.value) {
      const of = `${deed.case} ${deed.task ?? ''}`
      found.set(of, [...(found.get(of) ?? []), deed])
    }
    return [...found.values()]
  })
  const sending = ref(false)
  let running: Promise<void> | null = null
  let fails = 0
  let again: ReturnType<typeof setTimeout> | undefined

  async function load() {
    held.value = (await kept.all()).filter((deed) => !deed.who || deed.who === session.principal?.id)
  }

  /** Keep deeds, all of them before any is sent; try to send what waits, and tell whether one of these was refused. */
  async function put(...deeds: Waiting[]): Promise<Problem | null> {
    const own = new Set<string>()
    for (const deed of deeds) {
      const once = deed.once ?? key()
      own.add(once)
      await write({ ...deed, once, who: session.principal?.id })
    }
    await load()
    await send()
    const found = refused.value.find((deed) => own.has(deed.once!))
    return found ? problemOf(found) : null
  }
  const write = (deed: Waiting) => kept.put({ ...deed, photos: [...deed.photos], choices: deed.choices && { ...deed.choices }, refused: deed.refused && JSON.parse(JSON.stringify(deed.refused)) })

  /** Once more, as they are now. */
  async function retry(deeds: Waiting[]) {
    for (const deed of deeds) await write({ ...deed, refused: undefined })
    await load()
    await send()
  }
  async function discard(deeds: Waiting[]) {
    for (const deed of deeds) await kept.drop(deed.id!)
    await load()
  }
  /** Done in the end, or done anew: what was refused of the same is no longer wanted. */
  async function settle(deed: Waiting) {
    await kept.drop(deed.id!)
    for (const one of refused.value) if (one.case === deed.case && one.task === deed.task && one.verb === deed.verb) await kept.drop(one.id!)
  }

  /** Sent again after its answer was lost, the key makes it count once; another's step in between makes it look again. */
  async function sendOne(deed: Waiting) {
    const photos: string[] = []
    for (const photo of deed.photos) photos.push((await keepEvidence(photo)).sha256)
    const happened = city.now - Date.parse(deed.at) > LATE_MS ? deed.at : undefined
    if (deed.task) {
      await dealTask(deed.case, deed.task, deed.verb, { evidence: photos, note: deed.note, reason: deed.reason, choices: deed.choices, happened, once: deed.once })
      return
    }
    for (let left = TRIES; ; left--) {
      const now = await readCase(deed.case)
      if (deed.optional && !photos.length && !now.verbs.some((v) => v.verb === deed.verb)) return
      try {
        await dealCase(deed.case, deed.verb, { version: now.version, evidence: photos.length ? photos : undefined, note: deed.note, reason: deed.reason, result: deed.result, happened, once: deed.once })
        return
      } catch (error) {
        if (asProblem(error).code !== 'case.stale' || left <= 1) throw error
      }
    }
  }

  /** Soon again, and then less and less often. */
  function later() {
    clearTimeout(again)
    again = setTimeout(() => void send(), Math.min(RETRY_MS, SOON_MS * 2 ** fails++))
  }

  /** In order within a case; a case that cannot go on now keeps no other waiting. */
  async function all() {
    await load()
    const tried = new Set<number>()
    const stuck = new Set<string>()
    for (let deed = next(); deed; deed = next()) {
      tried.add(deed.id!)
      try {
        await sendOne(deed)
        fails = 0
      } catch (error) {
        const problem = asProblem(error)
        if (problem.code === 'unreachable' || problem.status === 401) return later()
        if (unsettled(problem)) {
          stuck.add(deed.case)
          later()
          continue
        }
        for (const one of waiting.value.filter((each) => each.case === deed.case && each.task === deed.task)) {
          await write({ ...one, refused: { code: problem.code, status: problem.status, zh: problem.zh, en: problem.en } })
        }
        await load()
        continue
      }
      await settle(deed)
      await load()
    }
    function next() {
      return waiting.value.find((deed) => !tried.has(deed.id!) && !stuck.has(deed.case))
    }
  }

  /** One at a time, also where the page is open twice. */
  function send(): Promise<void> {
    if (running) return running
    sending.value = true
    const locked = navigator.locks ? navigator.locks.request('zs.outbox', all) : all()
    running = Promise.resolve(locked).finally(() => {
      sending.value = false
      running = null
    })
    return running
  }

  addEventListener('online', () => {
    fails = 0
    void send()
  })
  void load().then(() => {
    if (waiting.value.length) void send()
  })
  return { waiting, refused, cards, sending, put, retry, discard, send }
})
