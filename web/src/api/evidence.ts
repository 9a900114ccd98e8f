// Photographs and papers, named by what they contain.
import { part, send } from './http'

export interface Kept {
  sha256: string
  content_type: string
  size: number
  url: string
}

export function keepEvidence(file: Blob, name = 'photo.jpg'): Promise<Kept> {
  const form = new FormData()
  form.append('file', file, name)
  return send<Kept>('POST', '/api/evidence', form)
}

export const evidenceUrl = (sha256: string) => `/api/evidence/${part(sha256)}`
