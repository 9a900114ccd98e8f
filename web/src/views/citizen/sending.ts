// A report on its way: kept with its photograph, over a reload too, until it has arrived; sent again by itself once the phone is back, and never twice.
import { onScopeDispose, ref } from 'vue'
import { store } from '@/state/stored'
import { asProblem, type Problem } from '@/api/http'
import { fileRequest, type Receipt, type Report } from '@/api/requests'

const TRY_AGAIN_MS = 15_000
const RANDOM_BYTES = 24
const DRAFT = 'draft'

/** What was written and not yet sent; its key goes with it, so that it counts once whenever it is sent. */
export interface Draft {
  id: string
  text: string
  place: string
  moved: boolean
  own: string
  photo: File | null
}
const drafts = store<Draft>('zs.draft', 'drafts', { keyPath: 'id' })

/** `crypto.randomUUID` is not there on a page without TLS. */
function random(): string {
  return [...crypto.getRandomValues(new Uint8Array(RANDOM_BYTES))].map((byte) => byte.toString(16).padStart(2, '0')).join('')
}

/** `write` says what is to be sent, as it stands at that moment; `arrived` hears of it once. */
export function useSending(write: () => Report, arrived: (receipt: Receipt, report: Report) => unknown) {
  const photo = ref<File | null>(null)
  const busy = ref(false)
  const wrong = ref<Problem | null>(null)
  /** No answer came: it is kept here and goes by itself. */
  const waits = ref(false)
  let own = random()

  /** What is written now is on the phone: a reload brings it back. */
  const safe = ref(false)
  let last: Promise<unknown> = Promise.resolve()
  /** Keeps what is written, one after the other, so that what was written last is what stays. */
  function keep(words: Pick<Draft, 'text' | 'place' | 'moved'>) {
    const row = words.text || photo.value ? { id: DRAFT, ...words, own, photo: photo.value } : null
    safe.value = false
    const mine: Promise<unknown> = last.then(() => (row ? drafts.put(row) : drafts.drop(DRAFT))).then(() => (safe.value = row !== null && last === mine), console.warn)
    last = mine
  }
  /** What was left on this phone, if anything was. */
  async function restore(): Promise<Draft | null> {
    const found = (await drafts.all().catch(() => [])).find((one) => one.id === DRAFT)
    if (!found) return null
    own = found.own
    photo.value = found.photo
    return found
  }

  async function send() {
    if (busy.value) return
    busy.value = true
    wrong.value = null
    try {
      const report = { ...write(), external: own }
      const receipt = await fileRequest(report, photo.value)
      own = random()
      waits.value = false
      photo.value = null
      await (last = last.then(() => drafts.drop(DRAFT)).catch(console.warn))
      await arrived(receipt, report)
    } catch (error) {
      const problem = asProblem(error)
      waits.value = problem.code === 'unreachable'
      if (!waits.value) wrong.value = problem
    } finally {
      busy.value = false
    }
  }
  function again() {
    if (waits.value) void send()
  }
  /** Whoever leaves the form keeps what they wrote, and sends it when they wish. */
  function rest() {
    waits.value = false
  }
  addEventListener('online', again)
  const timer = setInterval(again, TRY_AGAIN_MS)
  onScopeDispose(() => {
    removeEventListener('online', again)
    clearInterval(timer)
  })
  return { photo, busy, wrong, waits, safe, send, rest, keep, restore }
}
