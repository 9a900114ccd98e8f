// Times and durations in the city's zone and the reader's language.
import { useI18n } from 'vue-i18n'
import { useCity } from '@/state/city'

const MINUTE = 60
const HOUR = 3600
const DAY = 86400

type Told = string | number | Date | null | undefined

/** Making one takes longer than using it a hundred times. */
const made = new Map<string, Intl.DateTimeFormat>()
function formatter(language: string, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = `${language} ${JSON.stringify(options)}`
  const found = made.get(key) ?? new Intl.DateTimeFormat(language, options)
  made.set(key, found)
  return found
}

export function useTime() {
  const { t, locale } = useI18n()
  const city = useCity()

  function format(at: Told, options: Intl.DateTimeFormatOptions, language = locale.value === 'zh-CN' ? 'zh-CN' : 'en-GB'): string {
    if (at === null || at === undefined || at === '') return '—'
    const when = new Date(at)
    if (Number.isNaN(when.getTime())) return '—'
    return formatter(language, { timeZone: city.zone, hourCycle: 'h23', ...options }).format(when)
  }

  const clock = (at: Told) => format(at, { hour: '2-digit', minute: '2-digit', second: '2-digit' })
  const minute = (at: Told) => format(at, { hour: '2-digit', minute: '2-digit' })
  const day = (at: Told) => format(at, { month: 'short', day: 'numeric', weekday: 'short' })
  const full = (at: Told) => format(at, { month: '2-digit', day: '2-digit', hour: '2-digit', minute: '2-digit', second: '2-digit' })
  /** A day and a minute that no one can take for today's. */
  const stamp = (at: Told) => format(at, { year: 'numeric', month: '2-digit', day: '2-digit', hour: '2-digit', minute: '2-digit' }, 'sv-SE')
  const sameDay = (at: Told) => format(at, { dateStyle: 'short' }) === format(city.now, { dateStyle: 'short' })
  const soon = (at: Told) => (sameDay(at) ? t('time.today', { at: minute(at) }) : format(at, { month: 'numeric', day: 'numeric', hour: '2-digit', minute: '2-digit' }))

  function lasting(seconds: number | null | undefined): string {
    if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) return '—'
    const s = Math.abs(Math.round(seconds))
    if (s < MINUTE) return t('time.s', { n: s })
    if (s < HOUR) return t('time.m', { n: Math.floor(s / MINUTE) })
    if (s < DAY && s % HOUR < MINUTE) return t('time.h', { n: Math.floor(s / HOUR) })
    if (s < DAY) return t('time.hm', { h: Math.floor(s / HOUR), m: Math.floor((s % HOUR) / MINUTE) })
    return t('time.dh', { d: Math.floor(s / DAY), h: Math.floor((s % DAY) / HOUR) })
  }

  /** How long ago, in words; "just now" under a second, and nothing where it is not known. */
  function ago(seconds: number | null | undefined): string {
    if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) return ''
    return seconds < 1 ? t('time.justNow') : t('tile.age', { for: lasting(seconds) })
  }

  const since = (at: Told) => (at ? (city.now - new Date(at).getTime()) / 1000 : null)
  const left = (at: Told) => (at ? (new Date(at).getTime() - city.now) / 1000 : null)

  /** "剩 1 小时 12 分" or "超 5 分". */
  function remaining(at: Told): string {
    const s = left(at)
    if (s === null) return t('time.noDue')
    return s >= 0 ? t('time.left', { for: lasting(s) }) : t('time.over', { for: lasting(s) })
  }

  return { clock, minute, day, full, stamp, soon, lasting, ago, since, left, remaining }
}
