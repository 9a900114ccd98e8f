// What the map of an option draws, what its legend says and what its list names: three tellings of the same features.
import type { Feature } from 'geojson'
import { computed, reactive, ref, shallowReactive } from 'vue'
import { useI18n } from 'vue-i18n'
import { readModel, type Drawn, type Model, type Scenarios } from '@/api/foresight'
import { asProblem, type Problem } from '@/api/http'
import type { Ring } from '@/map/CityMap.vue'
import { usePick } from '@/say/pick'
import type { Drawing } from './drawing'
import { nowhere, positions } from './models'
import type { Option } from './question'
import { useSaid } from './said'

/** Marks of outcomes in their order, and letters of what is set: told apart without colour. */
const MARKS = ['▲', '◆', '■', '✚', '★']
const LETTERS = 'abcdefghijklmnopqrstuvwxyz'
const OUT = '#b3261e'
const DONE = '#0b6b7c'
const TONES = ['#1f5fb0', '#806000', '#1e7a4c', '#a84b00', '#55636e']

interface Given {
  seen: Drawn[]
  option: Option | null
  drawing: Drawing
  models: Model[]
  told: Scenarios
}

type Told = Pick<Given, 'seen' | 'models'> & { told: Pick<Scenarios, 'outcomes'> }

/** By outcome and by what was set: the features of a group share their words. */
export function useGroups(given: () => Told, tones = { out: OUT, set: DONE }) {
  const say = usePick()
  const said = useSaid()
  return computed(() => {
    const { seen, told, models } = given()
    const found = new Map<string, { key: string; words: string; mark: string; tone: string; hollow: boolean; all: Drawn[] }>()
    for (const one of seen) {
      const { outcome, set, value, model } = one.properties
      const key = outcome ? `o-${outcome}` : `s-${set}=${value}`
      if (!found.has(key)) {
        const place = told.outcomes.findIndex((each) => each.id === outcome)
        const what = String(set ?? '').split(':')[1] ?? ''
        const words = outcome ? say(told.outcomes[place], '') || String(outcome) : said.setting(what, Number(value), models.find((each) => each.name === model)?.inputs[what] ?? '1')
        found.set(key, { key, words, mark: outcome ? (MARKS[place % MARKS.length] ?? '▲') : '', tone: outcome ? tones.out : tones.set, hollow: !outcome, all: [] })
      }
      found.get(key)!.all.push(one)
    }
    const bad = [...found.values()].filter((one) => !one.hollow).sort((a, b) => b.all.length - a.all.length)
    const set = [...found.values()].filter((one) => one.hollow).map((one, i) => ({ ...one, mark: LETTERS[i % LETTERS.length]! }))
    return [...bad, ...set]
  })
}
export const marksOf = (groups: { hollow: boolean; tone: string; mark: string; all: Drawn[] }[]): Feature[] =>
  [...groups].reverse().flatMap((group) => group.all.filter((one) => one.geometry).map((one): Feature => ({ type: 'Feature', geometry: one.geometry as Feature['geometry'], properties: { look: group.hollow ? 'set' : 'out', tone: group.tone, mark: group.mark } })))

export function useLayers(given: () => Given) {
  const { t } = useI18n()
  const said = useSaid()
  const shown = reactive(new Set<string>())
  const held = shallowReactive(new Map<string, Drawn[]>())
  const wrong = ref<Problem | null>(null)
  const toneOf = (name: string) => TONES[Math.max(0, given().models.findIndex((one) => one.name === name)) % TONES.length]!

  async function toggle(name: string) {
    if (shown.delete(name)) return
    shown.add(name)
    if (held.has(name)) return
    try {
      held.set(name, (await readModel(name)).features)
      wrong.value = null
    } catch (error) {
      shown.delete(name)
      wrong.value = asProblem(error)
    }
  }

  const groups = useGroups(given)
  const legend = computed(() => {
    const { drawing, option } = given()
    const placed = option?.wishes.filter((wish) => wish.at).length ?? 0
    const rows = groups.value.map(({ key, words, mark, tone, hollow, all }) => ({ key, words, mark, tone, hollow, n: String(all.length) }))
    if (placed || drawing.points.value.length) rows.push({ key: 'wish', words: t('whatif.pointedAt'), mark: '1', tone: DONE, hollow: true, n: String(placed || '') })
    return rows
  })

  const features = computed<Feature[]>(() => {
    const { drawing, option } = given()
    const out: Feature[] = []
    const add = (geometry: unknown, properties: Record<string, unknown>) => geometry && out.push({ type: 'Feature', geometry: geometry as Feature['geometry'], properties })
    for (const name of shown) if (!nowhere(given().models.find((one) => one.name === name)?.crs ?? '')) for (const one of held.get(name) ?? []) add(one.geometry, { look: 'model', tone: toneOf(name) })
    out.push(...marksOf(groups.value))
    option?.wishes.forEach((wish) => add(wish.at?.type === 'Point' ? null : wish.at, { look: 'wish', tone: DONE }))
    const { points, shape } = drawing
    if (shape.value && shape.value.type !== 'Point') add(shape.value, { look: 'wish', tone: DONE })
    else if (points.value.length > 1) add({ type: 'LineString', coordinates: points.value }, { look: 'wish', tone: DONE })
    if (shape.value?.type !== 'Point') for (const at of points.value) add({ type: 'Point', coordinates: at }, { look: 'set', tone: DONE, mark: '' })
    return out
  })
  /** The places of changes carry the numbers of their list. */
  const rings = computed<Ring[]>(() => {
    const { drawing, option } = given()
    const all: Ring[] = (option?.wishes ?? []).flatMap((wish, i) => {
      const at = wish.at && positions(wish.at.coordinates)[0]
      return at ? [{ id: `wish-${i}`, lon: at[0], lat: at[1], level: 'unset' as const, fresh: false, number: i + 1, label: t('whatif.changeAt', { n: i + 1, name: said.lever(wish.lever, given().told.levers).name }) }] : []
    })
    const here = drawing.shape.value?.type === 'Point' ? drawing.points.value[0] : null
    if (here) all.push({ id: 'here', lon: here[0], lat: here[1], level: 'orange', fresh: true, main: true, label: t('whatif.place.here') })
    return all
  })
  const flat = computed(() => given().models.filter((one) => shown.has(one.name) && nowhere(one.crs)).map((model) => ({ model, features: held.get(model.name) ?? [] })))
  return { shown: computed(() => shown), toggle, groups, legend, features, rings, flat, wrong, toneOf }
}
