// Single keys for the desk; silent while one types or composes Chinese.
import { onBeforeUnmount, onMounted } from 'vue'

export type Keys = Record<string, (event: KeyboardEvent) => void>

const EDITABLE = /^(INPUT|SELECT|TEXTAREA)$/
const COMPOSING = 229

export function useKeys(keys: () => Keys) {
  let composing = false
  const begin = () => {
    composing = true
  }
  const end = () => {
    composing = false
  }
  function press(event: KeyboardEvent) {
    if (composing || event.isComposing || event.keyCode === COMPOSING || event.defaultPrevented) return
    const target = event.target as HTMLElement
    const name = `${event.ctrlKey || event.metaKey ? 'Ctrl+' : ''}${event.key.length === 1 ? event.key.toUpperCase() : event.key}`
    const writing = EDITABLE.test(target.tagName) || target.isContentEditable
    if (writing && name !== 'Ctrl+Enter' && name !== 'Escape') return
    if (name === 'Enter' && /^(A|BUTTON|SUMMARY)$/.test(target.tagName)) return
    if (event.altKey) return
    const run = keys()[name]
    if (!run) return
    event.preventDefault()
    run(event)
  }
  onMounted(() => {
    addEventListener('compositionstart', begin, true)
    addEventListener('compositionend', end, true)
    addEventListener('keydown', press)
  })
  onBeforeUnmount(() => {
    removeEventListener('compositionstart', begin, true)
    removeEventListener('compositionend', end, true)
    removeEventListener('keydown', press)
  })
}
