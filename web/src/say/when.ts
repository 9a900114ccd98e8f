// When a line of a history was done, and, where that was known only later, when it arrived.
import { useI18n } from 'vue-i18n'
import type { Deed } from '@/api/cases'
import { useTime } from './time'

/** A holder's own deeds: of nothing else the two times are of interest. */
const OWN = ['take', 'handle', 'feedback', 'return', 'object', 'ask', 'whistle', 'arrive', 'done', 'decline']
const MINUTE_MS = 60_000

export function useWhen() {
  const { t } = useI18n()
  const time = useTime()
  return (deed: Pick<Deed, 'verb' | 'at' | 'happened'>, plain: (at: string) => string = time.soon): string => {
    const late = OWN.includes(deed.verb) && deed.happened && Date.parse(deed.at) - Date.parse(deed.happened) >= MINUTE_MS
    return late ? t('deed.late', { done: plain(deed.happened!), known: plain(deed.at) }) : plain(deed.at)
  }
}
