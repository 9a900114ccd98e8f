// Both languages, one at a time on the page; remembered in the browser.
import { createI18n } from 'vue-i18n'

export type Language = 'zh-CN' | 'en'
/** A file of `zh/` or `en/` holds the sections of one part of the page; no two hold the same section. */
function gathered(files: Record<string, { default: object }>): Record<string, Record<string, string>> {
  return Object.assign({}, ...Object.values(files).map((file) => file.default))
}
const zh = gathered(import.meta.glob('./zh/*.json', { eager: true }))
const en = gathered(import.meta.glob('./en/*.json', { eager: true }))
const KEPT = 'zs.language'

function first(): Language {
  const asked = new URLSearchParams(location.search).get('lang') ?? localStorage.getItem(KEPT)
  if (asked === 'en' || asked === 'zh-CN') return asked
  if (asked === 'zh') return 'zh-CN'
  return navigator.language.startsWith('en') && !navigator.languages.some((l) => l.startsWith('zh')) ? 'en' : 'zh-CN'
}

export const words = createI18n({ legacy: false, locale: first(), fallbackLocale: 'zh-CN', messages: { 'zh-CN': zh, en } })

export function speak(language: Language) {
  words.global.locale.value = language
  localStorage.setItem(KEPT, language)
  document.documentElement.lang = language
}

speak(words.global.locale.value as Language)
