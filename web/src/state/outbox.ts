// Deeds done without a network wait here, in order, and are sent exactly once: each carries a key of its own.
import { defineStore } from 'pinia'
import { ref } from 'vue'
import { dealCase, readCase } from '@/api/cases'
import { keepEvidence } from '@/api/evidence'
import { asProblem, type Problem } from '@/api/http'

export interface Waiting {
  id?: number
  case: string
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
}

const STORE = 'deeds'
const RETRY_MS = 10_000

/** A key of its own for every deed: sent twice it still counts once. */
function key(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('')
}

function open(): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const asked = indexedDB.open('zs.outbox', 1)
    asked.onupgradeneeded = () => asked.result.createObjectStore(STORE, { keyPath: 'id', autoIncrement: true })
    asked.onsuccess = () => resolve(asked.result)
    asked.onerror = () => reject(asked.error)
  })
}

async function run<T>(mode: IDBTransactionMode, deed: (store: IDBObjectStore) => IDBRequest<T>): Promise<T> {
  const base = await open()
  try {
    return await new Promise<T>((resolve, reject) => {
      const asked = deed(base.transaction(STORE, mode).objectStore(STORE))
      asked.onsuccess = () => resolve(asked.result)
      asked.onerror = () => reject(asked.error)
    })
  } finally {
    base.close()
  }
}

export const useOutbox = defineStore('outbox', () => {
  const waiting = ref<Waiting[]>([])
  const refused = ref<{ deed: Waiting; problem: Problem } | null>(null)
  const sending = ref(false)

  async function load() {
    waiting.value = (await run<Waiting[]>('readonly', (s) => s.getAll() as IDBRequest<Waiting[]>)) ?? []
  }

  async function put(deed: Waiting) {
    await run('readwrite', (s) => s.add({ ...deed, photos: [...deed.photos], once: deed.once ?? key() }))
    await load()
    await send()
  }

  async function drop(deed: Waiting) {
    await run('readwrite', (s) => s.delete(deed.id!))
    await load()
  }

  /** Done already if the case no longer offers the verb: the first answer was lost on its way. */
  async function sendOne(deed: Waiting) {
    const now = await readCase(deed.case)
    if (!now.verbs.some((v) => v.verb === deed.verb)) {
      const known = now.history.some((h) => h.verb === deed.verb && h.at >= deed.at)
      if (known || deed.optional) return
    }
    const kept = []
    for (const photo of deed.photos) kept.push((await keepEvidence(photo)).sha256)
    await dealCase(deed.case, deed.verb, { version: now.version, evidence: kept.length ? kept : undefined, note: deed.note, reason: deed.reason, result: deed.result, once: deed.once })
  }

  async function send() {
    if (sending.value) return
    sending.value = true
    try {
      for (const deed of [...waiting.value]) {
        try {
          await sendOne(deed)
          refused.value = null
        } catch (error) {
          const problem = asProblem(error)
          if (problem.code === 'unreachable' || problem.status === 401) break
          refused.value = { deed, problem }
        }
        await drop(deed)
      }
    } finally {
      sending.value = false
    }
  }

  addEventListener('online', () => void send())
  setInterval(() => waiting.value.length && void send(), RETRY_MS)
  void load().then(send)
  return { waiting, refused, sending, put, send }
})
