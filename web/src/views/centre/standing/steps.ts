// How deep one is in what the centre stands in: each step of the drawer's breadcrumb.
export type Kind = 'standing' | 'warning' | 'warn' | 'response' | 'respond' | 'mode' | 'propose' | 'open' | 'watch'

export interface Step {
  kind: Kind
  id?: string
  /** The case an incident is opened with. */
  case?: string
}
