// The duty tables: whose duty what is, within which limit, for which listed reasons; and the playbooks.
import { get, getText, part, send, withQuery, type Page } from './http'

/** A class in force: who leads it, within which limit, how its end is checked. */
export interface CaseClass {
  class: string
  zh: string
  en: string
  unit: string
  unit_zh: string
  unit_en: string
  helpers: string[]
  limit: { amount: number; mode: string; calendar: string; warn: number | null } | null
  check_mode: string
  danger: boolean
  condition: string
  condition_en: string
  /** Where the sample picture stands; '' if the class names none. */
  picture_url: string
  playbook: string
  basis: string
  basis_en: string
}

export interface TableKind {
  kind: string
  zh: string
  en: string
  columns: string[]
  key: string[]
  rows: number
}

/** A row in force: its cells by column, and `from`: the source it came from. */
export type TableRow = Record<string, unknown> & { valid_from: string; valid_to: string | null; from: string }

export interface TableDiff {
  kind: string
  source: string
  lines: string[]
  applied: boolean
  new: number
  changed: number
  ended: number
  same: number
}

export interface Playbook {
  key: string
  version: string
  name_zh: string
  name_en: string
  source: string
  parties: string[]
  tasks: number
}

const BPMN = 'application/xml'

function held(file: File): FormData {
  const form = new FormData()
  form.append('file', file, file.name)
  return form
}

export const listClasses = async () => (await get<Page<CaseClass>>('/api/classes')).items
export const listKinds = async () => (await get<Page<TableKind>>('/api/tables')).items
export const listRows = async (kind: string) => (await get<Page<TableRow>>(`/api/tables/${part(kind)}`)).items
export const bringIn = (kind: string, file: File, source: string, apply: boolean) =>
  send<TableDiff>('POST', withQuery(`/api/tables/${part(kind)}`, { source, apply }), held(file))
export const listPlaybooks = async () => (await get<Page<Playbook>>('/api/playbooks')).items
export const readDrawing = (version: string) => getText(`/api/playbooks/${part(version)}`, BPMN)
export const deployPlaybook = (file: File) => send<Playbook>('POST', '/api/playbooks', held(file))
