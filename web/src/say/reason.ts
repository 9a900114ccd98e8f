// A reason in the reader's language: a listed one by the city's table, one of the page's own by its twin; words of one's own stay as they are.
import { useI18n } from 'vue-i18n'
import { useCatalogue } from '@/state/catalogue'
import { words } from '@/words'
import { take } from './pick'

type Lists = Record<string, string[]>
const offered = (language: 'zh-CN' | 'en') => (words.global.getLocaleMessage(language) as unknown as { verb: { offered: Lists } }).verb.offered

function twins(to: string): Map<string, string> {
  const [from, into] = to.startsWith('zh') ? [offered('en'), offered('zh-CN')] : [offered('zh-CN'), offered('en')]
  return new Map(Object.entries(from).flatMap(([verb, all]) => all.map((said, i) => [said, into[verb]?.[i] ?? said] as [string, string])))
}

export function useReason() {
  const { locale } = useI18n()
  const catalogue = useCatalogue()
  void catalogue.load()
  return (told: string | null | undefined): string => {
    if (!told) return ''
    const listed = catalogue.reason(told, locale.value)
    return listed !== told ? listed : (twins(locale.value).get(told) ?? told)
  }
}

const SUMMONS = /^(Come and help: |到场协助：)(.*)$/

/** What a task is called; the title of a summons holds the reason that whoever summoned gave. */
export function useTaskName() {
  const reason = useReason()
  const { locale } = useI18n()
  return (task: object) => take(task, 'title', locale.value).replace(SUMMONS, (_all, head: string, why: string) => `${head}${reason(why)}`)
}
