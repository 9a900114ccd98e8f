// Takes the sentence of the reader's language out of a row that carries both.
import { useI18n } from 'vue-i18n'

export type Words = (row: object | null | undefined, stem: string) => string

export function take(row: object | null | undefined, stem: string, language: string): string {
  if (!row) return ''
  const told = row as Record<string, unknown>
  const first = language.startsWith('zh') ? 'zh' : 'en'
  const second = first === 'zh' ? 'en' : 'zh'
  const key = (tail: string) => (stem ? `${stem}_${tail}` : tail)
  const found = told[key(first)] ?? told[key(second)] ?? (stem ? told[stem] : '')
  return found === null || found === undefined ? '' : String(found)
}

/** `const say = usePick(); say(area, 'name')` gives name_zh or name_en; `say(seat, '')` gives zh or en. */
export function usePick(): Words {
  const { locale } = useI18n()
  return (row, stem) => take(row, stem, locale.value)
}

/** Where a band comes from: its document and clause in the reader's language, else as they were written. */
export function sourceOf(source: { doc: string; clause: string; doc_en?: string; clause_en?: string } | null | undefined, language: string): { doc: string; clause: string } | null {
  if (!source) return null
  const zh = language.startsWith('zh')
  return { doc: (!zh && source.doc_en) || source.doc, clause: (!zh && source.clause_en) || source.clause || '' }
}

/** Of a row that has the Chinese under the plain name and the English beside it: `basis` and `basis_en`. */
export function beside(row: object | null | undefined, stem: string, language: string): string {
  const told = (row ?? {}) as Record<string, unknown>
  return String((!language.startsWith('zh') && told[`${stem}_en`]) || told[stem] || '')
}
