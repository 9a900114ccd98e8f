// What the centre stands in now, kept by the stream: warnings, responses, modes, open incidents, the watch. It must never know a view.
import { defineStore } from 'pinia'
import { computed, ref, shallowRef, type Ref } from 'vue'
import { levelNumber, listModes, listResponses, listWarnings, type Colour, type Mode, type Response, type Sampling, type Warning } from '@/api/centre'
import { readDuty, type Duty } from '@/api/duty'
import { asProblem, type Problem } from '@/api/http'
import { listIncidents, type IncidentRow } from '@/api/incidents'
import { useCity } from './city'
import { useSession } from './session'
import { useWatch } from './watch'

/** A warning ends by its own time, of which no news comes. */
const LOOK_AGAIN_MS = 30_000
const SOON_MS = 250
/** What was refused is not asked for again before the page opens anew. */
const REFUSED = [401, 403]
const GRAVEST: Colour[] = ['red', 'orange', 'yellow', 'blue']
type Noun = 'warning' | 'response' | 'mode' | 'incident' | 'duty'

/** A theme that is not at rest: its response, its mode, or both; the numeral is the response's before the mode's. */
export interface Raised {
  theme: string
  drill: boolean
  level: string
  mode: Mode | null
  response: Response | null
}

export const useStanding = defineStore('standing', () => {
  const city = useCity()
  const session = useSession()
  const stream = useWatch()
  const taken = shallowRef<Warning[] | null>(null)
  const responses = shallowRef<Response[] | null>(null)
  const modes = shallowRef<Mode[] | null>(null)
  const sampling = shallowRef<Sampling[]>([])
  /** Modes the reader may end because they proposed them or are in charge. */
  const mine = shallowRef<string[]>([])
  const incidents = shallowRef<IncidentRow[] | null>(null)
  const duty = shallowRef<Duty | null>(null)
  const problems = ref<Partial<Record<Noun, Problem>>>({}) as Ref<Partial<Record<Noun, Problem>>>
  const verbs = ref<Partial<Record<Noun, string[]>>>({})

  const reads: Record<Noun, () => Promise<void>> = {
    warning: async () => {
      const told = await listWarnings()
      taken.value = told.items
      verbs.value.warning = told.verbs
    },
    response: async () => {
      const told = await listResponses()
      responses.value = told.items
      verbs.value.response = told.verbs
    },
    mode: async () => {
      const told = await listModes()
      modes.value = told.items
      sampling.value = told.sampling
      mine.value = told.mine
      verbs.value.mode = told.verbs
    },
    incident: async () => {
      const told = await listIncidents()
      incidents.value = told.items
      verbs.value.incident = told.verbs
    },
    duty: async () => {
      duty.value = await readDuty()
    },
  }
  const NOUNS = Object.keys(reads) as Noun[]

  /** The watch is the staff's: a visitor's page does not ask for what it would be refused. */
  const allowed = (noun: Noun) => noun !== 'duty' || session.staff
  async function read(noun: Noun) {
    try {
      await reads[noun]()
      delete problems.value[noun]
    } catch (error) {
      problems.value[noun] = asProblem(error)
    }
  }
  const load = async (...nouns: Noun[]) => {
    await Promise.all((nouns.length ? nouns : NOUNS).filter(allowed).map(read))
  }

  /** Those in force by the city's own clock; what is to come stays in `taken`. */
  const warnings = computed(() => {
    const now = city.now
    const held = (taken.value ?? []).filter((one) => Date.parse(one.onset) <= now && !one.ended && (!one.expires || Date.parse(one.expires) > now))
    return held.sort((a, b) => GRAVEST.indexOf(a.colour) - GRAVEST.indexOf(b.colour) || a.onset.localeCompare(b.onset))
  })
  const inForce = computed(() => (modes.value ?? []).filter((one) => one.state === 'in_force'))
  const proposed = computed(() => (modes.value ?? []).filter((one) => one.state === 'proposed'))
  const raised = computed<Raised[]>(() => {
    const found = new Map<string, Raised>()
    const at = (theme: string, drill: boolean) => {
      const key = `${theme}|${drill}`
      const held = found.get(key) ?? { theme, drill, level: '', mode: null, response: null }
      found.set(key, held)
      return held
    }
    for (const one of inForce.value) {
      const held = at(one.theme, one.drill)
      if (!held.mode || levelNumber(one.level) < levelNumber(held.mode.level)) Object.assign(held, { mode: one, level: one.level })
    }
    for (const one of responses.value ?? []) {
      const held = at(one.theme, one.drill)
      if (!held.response || levelNumber(one.level) < levelNumber(held.response.level)) Object.assign(held, { response: one, level: one.level })
    }
    return [...found.values()].sort((a, b) => Number(a.drill) - Number(b.drill) || levelNumber(a.level) - levelNumber(b.level))
  })
  /** What real modes, not drills, change on the screen. */
  const effective = computed(() => inForce.value.filter((one) => !one.drill))
  const listed = (effect: string) => computed(() => effective.value.flatMap((one) => one.effects.find((e) => e.effect === effect)?.items ?? []))
  const urgent = listed('urgent')
  const postponed = listed('postpone')
  const names = (held: { what: string }[], name: string) => held.some(({ what }) => (what.endsWith('*') ? name.startsWith(what.slice(0, -1)) : what === name))
  /** What the modes in force make of a class of cases. */
  const classIs = (name: string): 'urgent' | 'postponed' | null => (names(urgent.value, name) ? 'urgent' : names(postponed.value, name) ? 'postponed' : null)
  /** Every how many seconds a type of device is to be sampled while a mode is in force; 0 if the table names no number. */
  const sampledEvery = (type: string | null): number | null => {
    const row = type ? sampling.value.find((one) => one.type === type) : undefined
    return row ? (row.every_s ?? 0) : null
  }
  const may = (noun: Noun, verb: string) => Boolean(verbs.value[noun]?.includes(verb))

  let users = 0
  let stops: (() => void)[] = []
  let timer: ReturnType<typeof setInterval> | undefined
  const waits = new Map<Noun, ReturnType<typeof setTimeout>>()
  function soon(noun: Noun) {
    if (!waits.has(noun)) waits.set(noun, setTimeout(() => (waits.delete(noun), void read(noun)), SOON_MS))
  }
  /** Follow while a view is open; returns how to stop. */
  function follow(): () => void {
    users += 1
    if (users === 1) {
      stops = [
        stream.on('open', () => void load()),
        stream.on('warning', () => soon('warning')),
        stream.on('response', () => soon('response')),
        stream.on('mode', () => {
          soon('mode')
          soon('incident')
        }),
        stream.on('incident', () => soon('incident')),
        stream.on('handover', () => {
          soon('mode')
          if (allowed('duty')) soon('duty')
        }),
      ]
      timer = setInterval(() => {
        if (!document.hidden) void load(...NOUNS.filter((noun) => !REFUSED.includes(problems.value[noun]?.status ?? 0)))
      }, LOOK_AGAIN_MS)
      void load()
    }
    return () => {
      users -= 1
      if (users > 0) return
      for (const stop of stops) stop()
      clearInterval(timer)
    }
  }

  return { taken, warnings, responses, modes, sampling, mine, incidents, duty, problems, inForce, proposed, raised, effective, load, may, classIs, sampledEvery, follow }
})
