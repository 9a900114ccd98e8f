// Tells the centre how far a task has come: that it has reached the phone of its unit or of the person it was assigned to, that it was read. What cannot be told now is told at the next look.
import { dealCase, type Case } from '@/api/cases'
import { asProblem } from '@/api/http'
import { useSession } from './session'

const ORDER = ['', 'delivered', 'read']
const telling = new Set<string>()

export function useReceipts() {
  const session = useSession()
  const ours = (one: Case) => session.is('handler', 'department') && one.unit === session.principal?.unit && ['', session.principal?.id].includes(one.person ?? '') && one.step === 'handle' && !one.mark
  return async (cases: Case[], how: 'delivered' | 'read') => {
    for (const one of cases.filter((each) => ours(each) && ORDER.indexOf(each.receipt ?? '') < ORDER.indexOf(how))) {
      const key = `${how}:${one.id}:${one.version}`
      if (telling.has(key)) continue
      telling.add(key)
      try {
        await dealCase(one.id, how, { version: one.version })
      } catch (error) {
        if (asProblem(error).code === 'unreachable') telling.delete(key)
      }
    }
  }
}
