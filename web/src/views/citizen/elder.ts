// Large print, kept for whoever uses this browser and put on the whole page while a citizen's view is open.
import { onBeforeUnmount, ref, watch } from 'vue'
import './citizen.css'

const ELDER = 'zs.elder'

export function useElder() {
  const elder = ref(localStorage.getItem(ELDER) === '1')
  watch(
    elder,
    (on) => {
      localStorage.setItem(ELDER, on ? '1' : '0')
      document.documentElement.classList.toggle('elder', on)
    },
    { immediate: true },
  )
  onBeforeUnmount(() => document.documentElement.classList.remove('elder'))
  return elder
}
