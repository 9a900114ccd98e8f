// Both languages, one at a time on the page; remembered in the browser.
import { createI18n } from 'vue-i18n'
import en from './en.json'
import zh from './zh.json'

export type Language = 'zh-CN' | 'en'
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
