// Looking ahead: scenarios as options of a question, their runs, what each came to, and how good forecasts were.
import { get, part, send, type Page, type Telling } from './http'
import type { Level } from './vitals'

export type RunState = 'queued' | 'running' | 'done' | 'stopped' | 'failed'

export interface Shape {
  type: 'Point' | 'LineString' | 'Polygon'
  coordinates: unknown
}

/** A change as a person makes it; `at` in degrees, times as "30m", cost in yuan. */
export interface Wish {
  lever: string
  at: Shape | null
  of: string[]
  amount: number | null
  begin: string
  until: string
  cost: number
  note: string
}

export interface Lever {
  id: string
  zh: string
  en: string
  target: string
  draws: 'place' | 'nothing'
  metres: number
  nearest: boolean
  unit: string
  asks: boolean
  low: number
  high: number
}

export interface Outcome {
  id: string
  zh: string
  en: string
  unit: string
  what: string
  op: string
  over: 'most' | 'last' | 'hours'
  source: { doc: string; clause: string }
  better: 'less' | 'more'
  decimals: number
}

export interface RoleModel {
  role: string
  model: string
  engine: string
  file: string
  crs: string
  objects: Record<string, number>
}

export interface StartGap {
  property: string
  unit: string
  entities: number
  measured: number
  mean: number | null
  rms: number | null
}

export interface Run {
  id: string
  scenario: string
  state: RunState
  progress: number
  waits: number
  seed: number
  asked_by: string
  began: string | null
  known: string | null
  until: string | null
  ended: string | null
  engines: Record<string, string>
  outcomes: Record<string, number>
  sights: Record<string, string>
  start: StartGap[]
  notes: { zh: string; en: string }[]
  took_s: number | null
  times_real: number | null
  engine_s: Record<string, number>
  readings: number
  problem: { code: string; zh: Telling; en: Telling } | null
}

export interface Scenario {
  id: string
  question: string
  name: string
  case: string
  hours: number
  step: string
  spinup: string
  seed: number
  wishes: Wish[]
  changes: number
  cost: number
  made: string
  made_by: string
  /** The run it was chosen by; empty if it was not. */
  chosen: string
  reason: string
  decided: string | null
  decided_by: string
  runs: Run[]
}

export interface Scenarios extends Page<Scenario> {
  models: RoleModel[]
  levers: Lever[]
  outcomes: Outcome[]
  installed: boolean
  may: string[]
}

export interface Exchange {
  second: number
  by: string
  model: string
  set: string
  object: string
  value: number
  because: [string, number][]
}

export interface Skill {
  engine: string
  property: string
  unit: string
  from_s: number
  to_s: number
  event: number | null
  n: number
  bias: number
  rmse: number
  rmse_persistence: number | null
  events: number
  hit_rate: number | null
  false_alarms: number | null
}

export interface RunTold extends Run {
  scenario_of: Scenario
  seconds: number[]
  series: Record<string, number[]>
  exchanges: { items: Exchange[]; next: number | null; total: number }
  skill: Skill[]
}

export interface ForeseenVital {
  indicator: string
  area: string
  value: number | null
  unit: string
  level: Level
}

export interface Foreseen {
  items: ForeseenVital[]
  at: string
  known: string
}

export interface Model {
  name: string
  engine: string
  version: string
  file: string
  sha256: string
  crs: string
  taken: Record<string, number>
  guessed: { zh: string; en: string }[]
  refused: { zh: string; en: string }[]
  objects: Record<string, number>
  inputs: Record<string, string>
  observed: Record<string, string>
}

export interface Drawn {
  geometry: Shape
  properties: Record<string, string | number>
}

export interface NewScenario {
  name: string
  question?: string
  case?: string
  hours: number
  step: string
  wishes: Wish[]
}

const run = (id: string) => `/api/runs/${part(id)}`

export const listScenarios = (query: { question?: string; case?: string; limit?: number }) => get<Scenarios>('/api/scenarios', query)
export const makeScenario = (body: NewScenario) => send<Scenario>('POST', '/api/scenarios', body)
export const askRun = (scenario: string) => send<Run>('POST', `/api/scenarios/${part(scenario)}/runs`, {})
export const chooseOption = (scenario: string, by: string, reason: string) => send<Scenario>('POST', `/api/scenarios/${part(scenario)}/choose`, { run: by, reason })
export const stopRun = (id: string) => send<Run>('POST', `${run(id)}/stop`, {})
export const readRun = (id: string, after = 0, limit = 40) => get<RunTold>(run(id), { after, limit })
export const listRuns = (query: { question?: string; state?: RunState; limit?: number }) => get<Page<Run>>('/api/runs', query)
export const readForeseen = (id: string, query: { at: number; area?: string; indicator?: string; depth?: string }) => get<Foreseen>(`${run(id)}/vitals`, query)
export const readForeseenLine = (id: string, indicator: string, area: string) => get<{ points: [string, number | null, Level][] }>(`${run(id)}/vitals/${part(indicator)}/${part(area)}`)
export const readRunMap = (id: string, at: number) => get<{ features: Drawn[] }>(`${run(id)}/map`, { at })
export const listSkill = () => get<Page<Skill>>('/api/skill')
export const listModels = () => get<Page<Model>>('/api/models')
export const readModel = (name: string) => get<{ crs: string; features: Drawn[] }>(`/api/models/${part(name)}`)
