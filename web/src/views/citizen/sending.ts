// A report on its way: kept with its photograph until it has arrived, sent again by itself once the phone is back, and never twice.
import { onScopeDispose, ref } from 'vue'
import { asProblem, type Problem } from '@/api/http'
import { fileRequest, type Receipt, type Report } from '@/api/requests'

const TRY_AGAIN_MS = 15_000
const RANDOM_BYTES = 24

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
  return { photo, busy, wrong, waits, send, rest }
}
