// What the phone keeps of one's own tasks, so that they open and can be worked on without a network; nothing of anyone else's stays in it.
import { readCase, type Case, type CaseFull } from '@/api/cases'
import { useCatalogue } from './catalogue'
import { keepSamples } from './samples'
import { useSession } from './session'
import { store } from './stored'

interface Kept {
  id: string
  who: string
  case: CaseFull
}

const MOST = 50
const kept = store<Kept>('zs.pocket', 'cases', { keyPath: 'id' })

export function usePocket() {
  const session = useSession()
  const catalogue = useCatalogue()
  const who = () => session.principal?.id ?? ''
  const own = async () => (await kept.all()).filter((one) => one.who === who())

  /** Keep these tasks whole and let go of all others; what is kept as it is now is not asked for again. */
  async function fill(tasks: Case[]) {
    const held = await kept.all()
    const wanted = tasks.filter((one) => !one.closed).slice(0, MOST)
    for (const one of held) if (one.who !== who() || !wanted.some((task) => task.id === one.id)) await kept.drop(one.id)
    for (const task of wanted) {
      if (held.some((one) => one.id === task.id && one.who === who() && one.case.version === task.version)) continue
      await keep(await readCase(task.id))
    }
    await catalogue.load()
    await keepSamples(wanted.map((task) => catalogue.of(task.class)?.picture_url ?? '')).catch(() => {})
  }
  const keep = (one: CaseFull) => kept.put({ id: one.id, who: who(), case: JSON.parse(JSON.stringify(one)) as CaseFull })
  const open = async (id: string) => (await own()).find((one) => one.id === id || one.case.number === id)?.case ?? null
  const list = async (): Promise<Case[]> => (await own()).map((one) => one.case)

  return { fill, keep, open, list }
}
