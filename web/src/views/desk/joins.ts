// How a join is known among the links of a lead. It must never fetch.
import type { LeadLink } from '@/api/leads'

export const JOIN = 'same_event'
export const nameOf = (link: LeadLink) => link.number || link.request || ''
/** What joined one voice to a lead, if a join did. */
export const joinOf = (links: LeadLink[] | undefined, number: string | undefined) => links?.find((link) => link.kind === JOIN && number && link.request === number)
