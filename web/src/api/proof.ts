// What was confirmed, what was found again: the numbers of the lab.
import { get } from './http'

export interface Proof {
  confirmed: number
  recovered: number
  duplicates: number
  head: number
  lake: number
  pid: number
  ledger: { lines: number; hash: string }
  started: string
}

export const readProof = () => get<Proof>('/api/proof')
