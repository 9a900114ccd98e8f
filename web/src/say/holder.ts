// Who has a case before this reader: the desk or unit that holds it and, where the unit named one of its people, that person.
import type { Case } from '@/api/cases'
import { useParty } from './party'
import { usePick } from './pick'

export function useHolder() {
  const party = useParty()
  const say = usePick()
  return (one: Case): string => [party(one.holder, one), one.person && one.holder === one.unit ? say(one, 'person_name') : ''].filter(Boolean).join(' · ')
}
