// How a task stands, and how times of an attempt are said.
import { useI18n } from 'vue-i18n'
import type { Attempt, LessonDeed, LessonTask } from '@/api/lessons'

export type Standing = 'open' | 'done' | 'late' | 'overdue' | 'missed'

/** A mark beside each word, so that none is told by colour. */
export const MARKS: Record<Standing, string> = { open: '○', done: '✓', late: '▲', overdue: '◆', missed: '✕' }

const MINUTE = 60

/** `elapsed`: seconds since the beginning. */
export function standing(task: LessonTask, ended: boolean, elapsed: number): Standing {
  if (task.state !== 'open') return task.state
  return ended ? 'missed' : elapsed > task.within_s ? 'overdue' : 'open'
}

/** "4:05", as on a stop watch. */
export const watch = (seconds: number) => `${Math.floor(Math.max(0, seconds) / MINUTE)}:${String(Math.floor(Math.max(0, seconds) % MINUTE)).padStart(2, '0')}`

/** How long an attempt went on, in seconds. */
export const went = (one: Attempt) => (one.ended ? (Date.parse(one.ended) - Date.parse(one.begun)) / 1000 : one.lasts_s - one.left_s)

export const count = (one: Attempt) => one.tasks.filter((task) => task.state !== 'open').length

/** What a deed was done to, where it is a number people use and no id of the machine's. */
export const numberOf = (subject: string) => (/^([0-9a-f]{8}-[0-9a-f]{4}-|[0-9a-f]{16,}$)/.test(subject) || subject.startsWith('urn:') ? '' : subject)

export function useSaid() {
  const { t } = useI18n()
  /** "4 分 5 秒": minutes and seconds, for a watch is read aloud badly. */
  function lasting(seconds: number): string {
    const s = Math.round(Math.max(0, seconds))
    if (s < MINUTE) return t('time.s', { n: s })
    return s % MINUTE ? t('lessons.ms', { m: Math.floor(s / MINUTE), s: s % MINUTE }) : t('time.m', { n: s / MINUTE })
  }
  return { lasting, after: (seconds: number) => t('lessons.after', { for: lasting(seconds) }) }
}

/** The task a deed made done, if it made one. */
export const taskOf = (one: Attempt, deed: LessonDeed) => one.tasks.find((task) => task.line === deed.line)
