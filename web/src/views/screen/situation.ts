// What the screen knows: values here, values of the streets, findings, leads and cases; fetched at `open`, then kept by changes.
import { computed, onScopeDispose, ref, shallowRef, watch, type Ref } from 'vue'
import { listAreas, readArea, type Area, type AreaItem } from '@/api/areas'
import { listCases } from '@/api/cases'
import { listFindings, type Finding } from '@/api/findings'
import { listIndicators, type Indicator } from '@/api/indicators'
import { listLeads } from '@/api/leads'
import { listVitals, type Point, type Vital } from '@/api/vitals'
import { isBad, rank } from '@/say/level'
import { calmly, useFetched, useHearing } from '@/state/use'
import { useWaiting } from '../desk/waiting'

const SPARK_POINTS = 96
const NEW_FOR_MS = 2000
const LOOK_AGAIN_MS = 2000
const NEVER = 9
const DAY_MS = 86_400_000

/** `raised` tells whether a sign's theme has its mode in force: it comes before its equals. */
export function useSituation(area: Ref<string>, theme: Ref<string>, chosen: Ref<string | null>, raised: (indicator: Indicator | undefined) => boolean = () => false) {
  const indicators = useFetched(async () => (await listIndicators()).items)
  const here = useFetched(async () => readArea(area.value))
  /** The areas above the one that is shown, from the city down. */
  const above = useFetched(async () => {
    const found: Area[] = []
    for (let code = here.data.value?.parent; code; ) {
      const one = await readArea(code)
      found.unshift(one)
      code = one.parent
    }
    return found
  })
  const vitals = useFetched(async () => kept((await listVitals({ area: area.value })).items))
  const shapes = useFetched(async () => (await listAreas('street', true)).items)
  const streets = useFetched(async () => (await listVitals({ area: area.value, depth: 'street', indicator: chosen.value ?? undefined })).items)
  /** Findings the stream has just told of, which a fetch begun before may not hold yet. */
  const told = new Map<string, Finding>()
  const findings = useFetched(async () => {
    const { items } = await listFindings({ state: 'open' })
    const held = new Set(items.map((f) => f.id))
    return [...[...told.values()].filter((f) => !held.has(f.id)), ...items]
  })
  const closed = useFetched(async () => (await listFindings({ state: 'closed' })).items)
  const leads = useFetched(async () => listLeads('open'))
  /** The citizens' voices that are worked on as such, where the viewer works on them. */
  const waiting = useWaiting()
  const cases = useFetched(async () => {
    const [open, done] = await Promise.all([listCases({ state: 'open', order: 'due', limit: 500 }), listCases({ state: 'closed', limit: 200 })])
    return { items: [...open.items, ...done.items.filter((c) => c.closed)], next: open.next ?? null, counts: open.counts ?? null }
  })
  const named = computed(() => findings.data.value?.map((f) => ({ ...namesOf(f), ...f })) ?? null)
  const changed = ref<Record<string, number>>({})
  const fresh = shallowRef<Set<string>>(new Set())

  const byCode = computed(() => new Map<string, Indicator>((indicators.data.value ?? []).map((i) => [i.code, i])))
  const shapeOf = computed(() => new Map<string, AreaItem>((shapes.data.value ?? []).map((s) => [s.code, s])))

  /** The names of what was only told of: those that are known by now, signs and areas may come after it. */
  function namesOf(f: Finding) {
    const sign = byCode.value.get(f.indicator)
    const place = shapeOf.value.get(f.area) ?? shapeOf.value.get(`${f.area.slice(0, 9)}000000`)
    return { rule_zh: sign?.name_zh ?? f.rule, rule_en: sign?.name_en ?? f.rule, area_name_zh: place?.name_zh ?? f.area, area_name_en: place?.name_en ?? f.area, unit: sign?.unit ?? '' }
  }

  const tiles = computed<Vital[]>(() => {
    const all = (vitals.data.value ?? []).filter((v) => !theme.value || byCode.value.get(v.indicator)?.theme === theme.value)
    const place = (v: Vital) => (v.as_of === null ? NEVER : rank(v.level))
    const urgent = (v: Vital) => (!v.acknowledged && (v.level === 'red' || v.level === 'orange') ? 0 : 1)
    const first = (v: Vital) => (v.as_of !== null && raised(byCode.value.get(v.indicator)) ? 0 : 1)
    const grave = (v: Vital) => (isBad(v.level) ? place(v) : NEVER)
    return [...all].sort((a, b) => urgent(a) - urgent(b) || grave(a) - grave(b) || first(a) - first(b) || place(a) - place(b) || a.indicator.localeCompare(b.indicator))
  })

  /** Declared, but its value here was not sent: this reader may not see it. */
  const refused = computed<Indicator[]>(() => {
    if (!vitals.data.value) return []
    const seen = new Set(vitals.data.value.map((v) => v.indicator))
    return (indicators.data.value ?? []).filter((i) => !seen.has(i.code) && (!theme.value || i.theme === theme.value))
  })

  /** What was seen here since the page opened is finer than what the server keeps for a day: the longer line stays. */
  function kept(fresh: Vital[]): Vital[] {
    const held = new Map((vitals.data.value ?? []).map((v) => [`${v.indicator}|${v.area}`, v.spark]))
    return fresh.map((v) => {
      const mine = held.get(`${v.indicator}|${v.area}`)
      return mine && mine.length > v.spark.length ? { ...v, spark: mine } : v
    })
  }

  function merge(list: Vital[] | null, changes: { indicator: string; area: string; value: number | null; level: Vital['level']; as_of: string }[], lines: boolean) {
    if (!list) return list
    const told = new Map(changes.map((c) => [`${c.indicator}|${c.area}`, c]))
    let touched = false
    const next = list.map((v) => {
      const c = told.get(`${v.indicator}|${v.area}`)
      if (!c) return v
      touched = true
      const spark = lines ? grown(v.spark, c.as_of, c.value) : v.spark
      if (c.value !== v.value) changed.value = { ...changed.value, [`${v.indicator}|${v.area}`]: Date.now() }
      return { ...v, value: c.value, level: c.level, as_of: c.as_of, spark }
    })
    return touched ? next : list
  }

  const relist = calmly(() => vitals.load(), 2000)
  const recase = calmly(() => Promise.all([cases.load(), leads.load(), waiting.load()]), 1000)
  const refind = calmly(() => Promise.all([findings.load(), closed.load()]), 1000)
  const looks = new Set<ReturnType<typeof setTimeout>>()
  onScopeDispose(() => looks.forEach(clearTimeout))

  /** What the stream tells is newer than what a fetch beside it may find: it is shown at once and fetched again. */
  function take(news: Finding) {
    const rest = (findings.data.value ?? []).filter((f) => f.id !== news.id)
    const held = (findings.data.value ?? []).find((f) => f.id === news.id)
    if (news.closed) {
      told.delete(news.id)
      findings.data.value = rest
    } else {
      const known = { lead: null, case: null, ...held, ...(news as Partial<Finding>) } as Finding
      told.set(news.id, known)
      findings.data.value = [known, ...rest]
    }
    const again = setTimeout(() => {
      looks.delete(again)
      told.delete(news.id)
      refind()
    }, LOOK_AGAIN_MS)
    looks.add(again)
  }

  function everything() {
    for (const one of [indicators, here, vitals, shapes, streets, findings, closed, leads, cases, waiting]) void one.load()
  }

  useHearing('open', everything)
  useHearing('vital', ({ items }) => {
    const before = new Map((vitals.data.value ?? []).map((v) => [v.indicator, v.level]))
    vitals.data.value = merge(vitals.data.value, items, true)
    streets.data.value = merge(streets.data.value, items, false)
    if ((vitals.data.value ?? []).some((v) => before.get(v.indicator) !== v.level)) relist()
  })
  useHearing('finding', (finding) => {
    if (finding && !finding.closed && !(findings.data.value ?? []).some((f) => f.id === finding.id)) {
      fresh.value = new Set([...fresh.value, finding.id])
      setTimeout(() => {
        fresh.value = new Set([...fresh.value].filter((id) => id !== finding.id))
      }, NEW_FOR_MS)
    }
    if (finding) take(finding)
    refind()
    relist()
  })
  useHearing('lead', recase)
  useHearing('case', () => {
    recase()
    relist()
  })
  everything()

  watch(area, () => {
    void here.load()
    void vitals.load()
    void streets.load()
  })
  watch(chosen, () => void streets.load())
  watch(here.data, () => void above.load())

  return { indicators, here, above, vitals, shapes, streets, findings: { ...findings, data: named }, closed, leads, waiting, cases, tiles, refused, byCode, shapeOf, changed, fresh, everything }
}

export type Situation = ReturnType<typeof useSituation>

export type { Area, Finding, Indicator }

/** A line with one more point; a point of the same moment replaces the last, what is older than a day leaves. */
function grown(line: Point[], at: string, value: number | null): Point[] {
  const when = Date.parse(at)
  const last = line.at(-1)
  const before = last && Date.parse(last[0]) >= when ? line.slice(0, -1) : line
  const since = last && Date.parse(last[0]) > when ? last[0] : at
  return [...before.filter((p) => when - Date.parse(p[0]) < DAY_MS), [since, value] as Point].slice(-SPARK_POINTS * 4)
}
