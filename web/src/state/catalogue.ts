// The duty catalogue of this city, asked once: its classes, and the words of its listed reasons in the reader's language.
import { defineStore } from 'pinia'
import { computed, ref } from 'vue'
import { listClasses, listRows, type CaseClass } from '@/api/tables'
import { take } from '@/say/pick'
import { store } from './stored'

interface Kept {
  id: string
  classes: CaseClass[]
}
/** The classes as they were last heard, for a phone without a network. */
const kept = store<Kept>('zs.catalogue', 'classes', { keyPath: 'id' })
const CLASSES = 'classes'

export const useCatalogue = defineStore('catalogue', () => {
  const classes = ref<CaseClass[]>([])
  const reasons = ref<object[]>([])
  const byCode = computed(() => new Map(classes.value.map((one) => [one.class, one])))
  let asked: Promise<unknown> | null = null

  function load(): Promise<unknown> {
    asked ??= Promise.all([listClasses().then(heard, remembered), listRows('reasons').then((found) => (reasons.value = found))]).catch((error) => {
      asked = null
      console.warn(error)
    })
    return asked
  }

  function heard(found: CaseClass[]) {
    classes.value = found
    void kept.put({ id: CLASSES, classes: found }).catch(() => {})
  }
  /** Tells the error on, so that it is asked again. */
  async function remembered(error: unknown) {
    if (!classes.value.length) classes.value = (await kept.all().catch(() => [])).find((one) => one.id === CLASSES)?.classes ?? []
    throw error
  }

  const of = (name: string | null | undefined) => (name ? byCode.value.get(name) : undefined)

  /** A reason is kept in Chinese: a listed one is said in the reader's language, what was written beside it stays. */
  function reason(told: string | null | undefined, language: string): string {
    if (!told || language.startsWith('zh')) return told ?? ''
    const row = reasons.value.find((one) => told === take(one, '', 'zh') || told.startsWith(`${take(one, '', 'zh')}：`))
    return row ? told.replace(take(row, '', 'zh'), take(row, '', language)).replace('：', ': ') : told
  }

  return { classes, load, of, reason }
})
