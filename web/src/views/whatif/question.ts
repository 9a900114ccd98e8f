// A question, its options and their runs: what is kept by the server, what is still a draft here, and how far each run is.
import { computed, reactive, ref, shallowReactive, watch, type Ref } from 'vue'
import { useI18n } from 'vue-i18n'
import { askRun, listScenarios, makeScenario, readRun, type Run, type RunTold, type Scenario, type Wish } from '@/api/foresight'
import { asProblem } from '@/api/http'
import { calmly, useEvery, useFetched, useHearing } from '@/state/use'
import { useWatch } from '@/state/watch'
import { useDeed } from '@/views/centre/standing/deed'
import { words } from '@/words'

export const AS_IT_GOES = 'as-it-goes'
const POLL_MS = 1500
const SOON_MS = 150
export const LINES = 40

/** One column: a scenario that is kept, or a draft that only this page knows. */
export interface Option {
  id: string
  letter: string
  name: string
  wishes: Wish[]
  cost: number
  scenario: Scenario | null
  /** The newest run; and the newest that was done, which is what is compared. */
  run: Run | null
  done: Run | null
}
interface Draft {
  id: string
  name: string
  wishes: Wish[]
}

/** An option that changes nothing bears the reader's own words, whoever named it by the page's. */
export const nameOf = (one: Pick<Scenario, 'name' | 'changes'>, plain: string) => (!one.changes && (DEFAULTS.has(one.name) || one.name === AS_IT_GOES) ? plain : one.name)
const DEFAULTS = new Set((['zh-CN', 'en'] as const).map((each) => (words.global.getLocaleMessage(each) as unknown as { whatif: { asItGoes: string } }).whatif.asItGoes))
export const unended = (run: Run | null | undefined) => run?.state === 'queued' || run?.state === 'running'
export const letterOf = (i: number) => String.fromCharCode(65 + (i % 26))
export const minutes = (text: string) => {
  const [, n, unit] = /^(\d+(?:\.\d+)?)(s|m|h|d)$/.exec(text) ?? []
  return n ? Number(n) * { s: 1 / 60, m: 1, h: 60, d: 1440 }[unit as 's' | 'm' | 'h' | 'd'] : 0
}

export function useQuestion(question: Ref<string>, caseId: Ref<string>) {
  const stream = useWatch()
  const { t } = useI18n()
  const told = useFetched(() => listScenarios({ question: question.value, case: question.value ? '' : caseId.value, limit: 200 }))
  const drafts = ref<Draft[]>([])
  const news = reactive<Record<string, Pick<Run, 'state' | 'progress'>>>({})
  const details = shallowReactive(new Map<string, RunTold>())
  const selected = ref('')
  const { busy, wrong, run: once } = useDeed()
  let counted = 0

  const kept = computed(() => (question.value ? [...(told.data.value?.items ?? [])].filter((one) => one.question === question.value).reverse() : []))
  const live = (run: Run): Run => (news[run.id] && unended(run) ? { ...run, ...news[run.id] } : run)
  const options = computed<Option[]>(() => [
    ...kept.value.map((one, i): Option => ({ id: one.id, letter: letterOf(i), name: nameOf(one, t('whatif.asItGoes')), wishes: one.wishes, cost: one.cost, scenario: one, run: one.runs[0] ? live(one.runs[0]) : null, done: one.runs.find((run) => run.state === 'done') ?? null })),
    ...drafts.value.map((one, i): Option => ({ ...one, letter: letterOf(kept.value.length + i), cost: one.wishes.reduce((sum, wish) => sum + wish.cost, 0), scenario: null, run: null, done: null })),
  ])
  const option = computed(() => options.value.find((one) => one.id === selected.value) ?? options.value[0] ?? null)
  const draft = computed(() => drafts.value.find((one) => one.id === option.value?.id) ?? null)
  /** What all is compared with: the option that changes nothing. */
  const base = computed(() => options.value.find((one) => one.scenario && !one.wishes.length && one.scenario.changes === 0) ?? options.value.find((one) => one.scenario) ?? null)
  const first = computed(() => kept.value[0] ?? null)
  /** Other questions, the newest first, each with its options. */
  const others = computed(() => {
    const found = new Map<string, Scenario[]>()
    for (const one of told.data.value?.items ?? []) if (one.question !== AS_IT_GOES && one.question !== question.value) found.set(one.question, [one, ...(found.get(one.question) ?? [])])
    return [...found.entries()].map(([id, all]) => ({ id, all }))
  })

  const again = calmly(() => told.load(), SOON_MS)
  useHearing('open', again)
  useHearing('run', (change) => {
    const known = (told.data.value?.items ?? []).flatMap((one) => one.runs).find((run) => run.id === change.id)
    if (!known) return
    const before = news[change.id]?.state ?? known.state
    news[change.id] = { state: change.state, progress: change.progress }
    if (before !== change.state) again()
  })
  useEvery(POLL_MS, () => {
    if (!document.hidden && (stream.state !== 'live' || wrong.value) && options.value.some((one) => unended(one.run))) void told.load()
  })
  watch([question, caseId], () => void told.load(), { immediate: true })
  watch(question, () => {
    drafts.value = []
    selected.value = ''
  })
  watch(
    () => options.value.flatMap((one) => (one.done ? [one.done.id] : [])).join(),
    async (ids) => {
      for (const id of ids.split(',').filter((each) => each && !details.has(each))) {
        try {
          details.set(id, await readRun(id, 0, LINES))
        } catch (error) {
          wrong.value = asProblem(error)
        }
      }
    },
    { immediate: true },
  )

  /** Do something with the server, tell what went wrong, and look again. */
  async function attempt<T>(deed: () => Promise<T>): Promise<T | null> {
    const came = await once(deed)
    await told.load()
    return came
  }
  async function begin(name: string, hours: number, step: string): Promise<string | null> {
    const made = await attempt(async () => {
      const one = await makeScenario({ name, hours, step, case: caseId.value, wishes: [] })
      await askRun(one.id)
      return one
    })
    return made?.question ?? null
  }
  function add(name: string, wishes: Wish[] = []) {
    counted += 1
    drafts.value = [...drafts.value, { id: `draft-${counted}`, name, wishes: [...wishes] }]
    selected.value = `draft-${counted}`
  }
  function drop(id: string) {
    drafts.value = drafts.value.filter((one) => one.id !== id)
    selected.value = options.value.at(-1)?.id ?? ''
  }
  /** Keep a draft as a scenario and run it. */
  async function keep(id: string) {
    const one = drafts.value.find((each) => each.id === id)
    if (!one || !first.value) return
    const { hours, step } = first.value
    const made = await attempt(async () => {
      const kept = await makeScenario({ name: one.name.trim(), question: question.value, case: first.value!.case, hours, step, wishes: one.wishes })
      drafts.value = drafts.value.filter((each) => each.id !== id)
      await askRun(kept.id)
      return kept
    })
    if (made) selected.value = made.id
  }
  const run = (id: string) => attempt(() => askRun(id))

  return { told, options, option, draft, base, first, others, details, selected, wrong, busy, attempt, begin, add, drop, keep, run }
}

export type Question = ReturnType<typeof useQuestion>
