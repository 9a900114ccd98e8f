// The moment the screen shows: now, one that has passed, or one that a run foresees. It must never compute a value.
import { computed, onScopeDispose, ref, shallowRef, watch, type Ref } from 'vue'
import { useRoute } from 'vue-router'
import { listModels, listRuns, listScenarios, readForeseen, readRun, readRunMap, type Drawn, type Foreseen } from '@/api/foresight'
import { listVitals, type Vital } from '@/api/vitals'
import { useCity } from '@/state/city'
import { calmly, useFetched, useHearing } from '@/state/use'
import { AS_IT_GOES } from '../whatif/question'

export type When = 'past' | 'now' | 'ahead'
export const STEP_MS = 300_000
const CALM_MS = 200
/** A step of the play stays at least so long. */
const STAY_MS = 600

interface Seen {
  at: number
  here: Map<string, Vital>
  streets: Vital[]
  drawn: Drawn[]
}

export function useMoment(area: Ref<string>, chosen: Ref<string | null>) {
  const city = useCity()
  const route = useRoute()
  /** Milliseconds; null: now. */
  const at = ref<number | null>(null)
  const playing = ref(false)
  /** The run whose forecast is shown: the one that is asked for, else the newest of how it goes on. */
  const run = useFetched(async () => {
    const id = (route.query.run as string | undefined) || (await listRuns({ question: AS_IT_GOES, state: 'done', limit: 1 })).items[0]?.id
    return id ? readRun(id, 0, 1) : null
  })
  const words = useFetched(async () => {
    const [told, models] = await Promise.all([listScenarios({ question: AS_IT_GOES, limit: 1 }), listModels()])
    return { told, models: models.items }
  })
  const until = computed(() => {
    const end = run.data.value?.until ? Date.parse(run.data.value.until) : 0
    return end > city.now ? end : null
  })
  const when = computed<When>(() => (at.value === null ? 'now' : at.value <= city.now ? 'past' : 'ahead'))

  const seen = useFetched<Seen | null>(async () => {
    const [moment, told] = [at.value, run.data.value]
    if (moment === null) return null
    if (when.value === 'past') {
      const text = new Date(moment).toISOString()
      const [here, streets] = await Promise.all([listVitals({ area: area.value, at: text }), listVitals({ area: area.value, depth: 'street', indicator: chosen.value ?? undefined, at: text })])
      return { at: moment, here: byCode(here.items), streets: streets.items, drawn: [] }
    }
    if (!told?.began) return null
    const second = Math.max(1, Math.round((moment - Date.parse(told.began)) / 1000))
    const [here, streets, map] = await Promise.all([
      readForeseen(told.id, { at: second, area: area.value }),
      readForeseen(told.id, { at: second, area: area.value, depth: 'street', indicator: chosen.value ?? undefined }),
      readRunMap(told.id, second),
    ])
    return { at: moment, here: byCode(foreseen(here)), streets: foreseen(streets), drawn: map.features }
  })
  const shown = shallowRef<Seen | null>(null)
  watch(seen.data, (found) => (shown.value = found && at.value !== null ? found : null))

  const look = calmly(() => seen.load(), CALM_MS)
  function go(to: number | null) {
    at.value = to === null || Math.abs(to - city.now) < STEP_MS / 2 ? null : Math.min(to, until.value ?? city.now)
    if (at.value === null) shown.value = null
    else look()
  }
  function move(to: number | null) {
    playing.value = false
    go(to)
  }
  let turn = 0
  /** Plays what is foreseen, a step after the other, each as soon as it is there. */
  async function play() {
    const mine = ++turn
    playing.value = !playing.value
    if (playing.value && (when.value !== 'ahead' || at.value === until.value)) at.value = city.now
    while (playing.value && mine === turn && until.value !== null) {
      at.value = Math.min((at.value ?? city.now) + STEP_MS, until.value)
      await Promise.all([seen.load(), new Promise((done) => setTimeout(done, STAY_MS))])
      if (at.value === until.value) playing.value = false
    }
  }
  onScopeDispose(() => (playing.value = false))

  watch([area, chosen], () => at.value !== null && look())
  watch(when, (is, was) => is !== was && is !== 'now' && look())
  const again = calmly(() => run.load(), CALM_MS)
  watch(() => route.query.run, again)
  useHearing('open', again)
  useHearing('run', (change) => change.state === 'done' && when.value !== 'ahead' && again())
  void run.load()
  watch(run.data, (found) => found && !words.data.value && void words.load())

  return { at, when, until, run, words, seen, shown, playing, move, play }
}

export type Moment = ReturnType<typeof useMoment>

const byCode = (rows: Vital[]) => new Map(rows.map((one) => [one.indicator, one]))
const foreseen = (told: Foreseen): Vital[] => told.items.map((one) => ({ ...one, band: null, as_of: told.at, age_s: null, owner: '', spark: [], last_action: null, acknowledged: true, finding: null }))
