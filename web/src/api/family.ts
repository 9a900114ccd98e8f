// Family looks on: links of one's own report, and what a link shows.
import { get, part, send, type Page } from './http'
import type { Receipt, RequestProgress, Result } from './requests'

export interface FamilyLink {
  id: string
  made: string
  revoked: string | null
  /** Told once, when it is made. */
  secret?: string
}

export interface Shared extends Pick<RequestProgress, 'number' | 'state' | 'state_zh' | 'state_en' | 'answer' | 'answered' | 'waiting'> {
  created: string
  class_zh: string
  class_en: string
  area_name_zh: string
  area_name_en: string
  case: Omit<NonNullable<RequestProgress['case']>, 'number'> | null
  result: Pick<Result, 'before' | 'after'> | null
  /** When the link ends by itself; null while something is waited for. */
  until: string | null
}

const at = (told: Receipt) => `/api/requests/${part(told.number)}/links`
const own = (told: Receipt): Record<string, string> => (told.follow ? { 'zs-receipt': told.follow } : {})

export const listLinks = async (told: Receipt) => (await get<Page<FamilyLink>>(at(told), undefined, undefined, own(told))).items
export const makeLink = (told: Receipt) => send<FamilyLink>('POST', at(told), undefined, own(told))
export const revokeLink = async (told: Receipt, id: string) => (await send<Page<FamilyLink>>('DELETE', `${at(told)}/${part(id)}`, undefined, own(told))).items
export const readShared = (secret: string) => get<Shared>(`/api/shared/${part(secret)}`)
