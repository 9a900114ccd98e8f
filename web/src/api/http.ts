// One way to speak with the server: JSON in, JSON or a Problem out. It must never know a noun.

export interface Telling {
  sentence: string
  remedy: string
}

export interface Fault {
  at: string
  zh: Telling
  en: Telling
}

/** A refusal a person can act on. `code` is "unreachable" when no answer came at all. */
export class Problem extends Error {
  constructor(
    readonly code: string,
    readonly status: number,
    readonly zh: Telling,
    readonly en: Telling,
    /** Each thing that is wrong with a file, by where it stands. */
    readonly faults: Fault[] = [],
  ) {
    super(`${code}: ${en.sentence}`)
  }

  tell(language: string): Telling {
    return language.startsWith('zh') ? this.zh : this.en
  }
}

export interface Page<T> {
  items: T[]
  next: string | null
}

export type Query = Record<string, string | number | boolean | null | undefined>

const NO_ANSWER: [Telling, Telling] = [
  { sentence: '没有连上。', remedy: '请看一下网络，连上后再试一次。' },
  { sentence: 'No connection.', remedy: 'Check the network, then try again.' },
]
const NO_SENSE: [Telling, Telling] = [
  { sentence: '服务的答复无法读懂。', remedy: '请重试；若仍如此，请把时间告诉运维人员。' },
  { sentence: 'The answer of the server could not be read.', remedy: 'Try again; if it stays, tell the operator the time.' },
]

export function withQuery(path: string, query: Query = {}): string {
  const asked = new URLSearchParams()
  for (const [key, value] of Object.entries(query)) {
    if (value !== null && value !== undefined && value !== '') asked.set(key, String(value))
  }
  const text = asked.toString()
  return text ? `${path}?${text}` : path
}

async function problemOf(answer: Response): Promise<Problem> {
  try {
    const told = (await answer.json()) as Partial<{ code: string; sentence: string; remedy: string; zh: Telling; en: Telling; faults: Fault[] }>
    const plain = { sentence: told.sentence ?? `HTTP ${answer.status}`, remedy: told.remedy ?? '' }
    return new Problem(told.code ?? `http_${answer.status}`, answer.status, told.zh ?? plain, told.en ?? plain, told.faults ?? [])
  } catch {
    return new Problem(`http_${answer.status}`, answer.status, ...NO_SENSE)
  }
}

async function fetched(path: string, init: RequestInit): Promise<Response> {
  let answer: Response
  try {
    answer = await fetch(path, { credentials: 'same-origin', ...init })
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') throw error
    throw new Problem('unreachable', 0, ...NO_ANSWER)
  }
  if (!answer.ok) throw await problemOf(answer)
  return answer
}

async function ask<T>(path: string, init: RequestInit): Promise<T> {
  const answer = await fetched(path, init)
  if (answer.status === 204) return undefined as T
  try {
    return (await answer.json()) as T
  } catch {
    throw new Problem('unreadable', answer.status, ...NO_SENSE)
  }
}

export function get<T>(path: string, query?: Query, signal?: AbortSignal, more: Record<string, string> = {}): Promise<T> {
  return ask<T>(withQuery(path, query), { method: 'GET', headers: { accept: 'application/json', ...more }, signal })
}

export async function getText(path: string, accept: string): Promise<string> {
  return (await fetched(path, { method: 'GET', headers: { accept } })).text()
}

export function send<T>(method: 'POST' | 'DELETE', path: string, body?: unknown, more: Record<string, string> = {}): Promise<T> {
  const form = body instanceof FormData
  const headers: Record<string, string> = { accept: 'application/json', ...more }
  if (body !== undefined && !form) headers['content-type'] = 'application/json'
  return ask<T>(path, { method, headers, body: body === undefined ? undefined : form ? body : JSON.stringify(body) })
}

export function asProblem(error: unknown): Problem {
  return error instanceof Problem ? error : new Problem('unreadable', 0, ...NO_SENSE)
}

export const part = encodeURIComponent
