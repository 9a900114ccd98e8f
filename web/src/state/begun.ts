// What one has begun of a task and not submitted: its photographs, result and note stay on the phone over a reload, until they are submitted or the case has left.
import { ref, watch } from 'vue'
import type { Case } from '@/api/cases'
import { useSession } from './session'
import { store } from './stored'

interface Begun {
  id: string
  /** Whose it is: a phone may pass from hand to hand. */
  who: string
  case: string
  before: Blob | null
  after: Blob | null
  result: string
  note: string
}

const kept = store<Begun>('zs.begun', 'cases', { keyPath: 'id' })

/** Let go of what was begun of cases that have left: `tasks` are all that one has now. */
export async function letGo(tasks: Case[], who: string) {
  for (const one of await kept.all()) if (one.who === who && !tasks.some((task) => task.id === one.case && !task.closed)) await kept.drop(one.id)
}

/** `task`: the case that is open, once it is known. */
export function useBegun(task: () => string | undefined) {
  const session = useSession()
  const before = ref<Blob | null>(null)
  const after = ref<Blob | null>(null)
  const result = ref('')
  const note = ref('')
  const key = (id: string) => `${session.principal?.id ?? ''} ${id}`
  /** The case whose draft has been read: only then is it written. */
  let known = ''
  let last: Promise<unknown> = Promise.resolve()
  let next: (() => Promise<unknown>) | null = null
  /** One after the other, and what is overtaken while another is written is not written: what is said last is what stays. */
  function then(deed: () => Promise<unknown>) {
    next = deed
    return (last = last.then(() => {
      const now = next
      next = null
      return now?.()
    }).catch(console.warn))
  }

  watch(
    task,
    async (id, was) => {
      if (was) [before.value, after.value, result.value, note.value, known] = [null, null, '', '', '']
      if (!id) return
      const found = (await kept.all().catch(() => [])).find((one) => one.id === key(id))
      if (task() !== id) return
      before.value ??= found?.before ?? null
      after.value ??= found?.after ?? null
      result.value ||= found?.result ?? ''
      note.value ||= found?.note ?? ''
      known = id
    },
    { immediate: true },
  )
  watch([before, after, result, note], () => {
    const id = task()
    if (!id || known !== id) return
    const row = { id: key(id), who: session.principal?.id ?? '', case: id, before: before.value, after: after.value, result: result.value, note: note.value }
    void then(() => (row.before || row.after || row.result || row.note ? kept.put(row) : kept.drop(row.id)))
  })
  /** Submitted, or no longer theirs. */
  const forget = (id: string) => then(() => kept.drop(key(id)))

  return { before, after, result, note, forget }
}
