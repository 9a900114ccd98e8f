// What the screen's map paints and its list says: levels of areas, rings of open findings, the same in words. It must never fetch.
import { computed, type Ref } from 'vue'
import { useI18n } from 'vue-i18n'
import type { Level, Vital } from '@/api/vitals'
import type { Ring } from '@/map/CityMap.vue'
import { isBad, rank } from '@/say/level'
import { usePick } from '@/say/pick'
import { useCity } from '@/state/city'
import type { useGround } from './ground'
import type { Moment } from './moment'
import type { Situation } from './situation'

/** `moment`: what is shown instead of now. */
export function usePainted(s: Situation, ground: ReturnType<typeof useGround>, chosen: Ref<string | null>, moment: Moment) {
  const { t } = useI18n()
  const say = usePick()
  const city = useCity()
  const nameOf = (code: string) => say(s.byCode.value.get(code), 'name') || code
  const told = (vital: Vital, name: string) => ({ vital, name, sign: nameOf(vital.indicator), decimals: s.byCode.value.get(vital.indicator)?.decimals })

  const streets = computed(() => (moment.when.value === 'now' ? s.streets.data.value : moment.shown.value?.streets) ?? [])
  /** Those that were open at the moment; of what is to come nobody has found anything. */
  const findings = computed(() => {
    const [at, open] = [moment.at.value, s.findings.data.value ?? []]
    if (moment.when.value === 'now' || at === null) return open
    const began = [...open, ...(s.closed.data.value ?? [])].filter((f) => Date.parse(f.opened) <= at)
    return moment.when.value === 'ahead' ? [] : began.filter((f) => !f.closed || Date.parse(f.closed) > at)
  })
  /** What the map paints: the chosen sign's levels, else the worst level of open findings by street, or of what is foreseen there. */
  const levels = computed(() => {
    const painted = new Map<string, Level>()
    const keep = (code: string, level: Level) => {
      const held = painted.get(code)
      if (isBad(level) && (!held || rank(level) < rank(held))) painted.set(code, level)
    }
    const ahead = moment.when.value === 'ahead'
    if (chosen.value || ahead) for (const v of streets.value) if (!chosen.value || v.indicator === chosen.value) keep(v.area, v.level)
    if (!chosen.value) for (const f of findings.value) keep(`${f.area.slice(0, 9)}000000`, f.level)
    return painted
  })
  /** An unsurveyed city has no streets to list: its own signs stand in their place, those that are known. */
  const own = computed(() => {
    const name = say(s.here.data.value, 'name') || say(city.city, 'name')
    return s.tiles.value.filter((v) => v.value !== null).map((vital) => told(vital, name))
  })
  const listed = computed(() => {
    if (!ground.surveyed.value && !s.shapes.data.value?.length) return own.value
    const bad = streets.value.filter((v) => isBad(v.level) && (!chosen.value || v.indicator === chosen.value))
    return [...bad]
      .sort((a, b) => rank(a.level) - rank(b.level) || (b.value ?? 0) - (a.value ?? 0))
      .map((vital) => told(vital, say(s.shapeOf.value.get(vital.area), 'name') || vital.area))
  })
  const normalStreets = computed(() => {
    const bad = new Set(listed.value.map((row) => row.vital.area))
    return (s.shapes.data.value ?? []).filter((one) => !bad.has(one.code)).length
  })
  const rings = computed<Ring[]>(() =>
    findings.value.flatMap((f) => {
      const lead = (s.leads.data.value?.items ?? []).find((l) => l.id === f.lead)
      const one = (s.cases.data.value?.items ?? []).find((c) => c.id === f.case || c.finding === f.id)
      const shape = s.shapeOf.value.get(f.area) ?? s.shapeOf.value.get(`${f.area.slice(0, 9)}000000`)
      const lon = lead?.lon ?? one?.lon ?? shape?.centre?.[0]
      const lat = lead?.lat ?? one?.lat ?? shape?.centre?.[1]
      if (lon === undefined || lat === undefined || lon === null || lat === null) return []
      return [{ id: f.id, lon, lat, level: f.level, fresh: s.fresh.value.has(f.id), label: `${t(`level.${f.level}`)} · ${say(f, 'rule')} · ${say(f, 'area_name')}` }]
    }),
  )

  return { levels, listed, normalStreets, findings, rings, nameOf }
}
