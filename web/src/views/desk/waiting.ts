// The citizens' voices that wait at the desk, for whoever works on them; others are not asked for them.
import { computed } from 'vue'
import { listWaiting, type HotlineRow, type Waits } from '@/api/hotline'
import { useSession } from '@/state/session'
import { useFetched } from '@/state/use'

export function useWaiting() {
  const session = useSession()
  const may = computed(() => session.is('acceptor', 'dispatcher', 'duty_officer', 'checker'))
  const lists = {
    accept: useFetched(async () => (may.value ? listWaiting('accept') : [])),
    call: useFetched(async () => (may.value ? listWaiting('call') : [])),
  }
  const of = (waits: Waits | undefined): HotlineRow[] => (waits ? (lists[waits].data.value ?? []) : [])
  const problem = (waits: Waits | undefined) => (waits ? lists[waits].problem.value : null)
  const known = computed(() => Object.values(lists).every((one) => one.data.value !== null || one.problem.value))
  const load = () => Promise.all(Object.values(lists).map((one) => one.load()))
  return { of, problem, known, load, takes: computed(() => session.is('acceptor', 'duty_officer')) }
}
