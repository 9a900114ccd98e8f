// Whether the phone believes that it has a network. It may be wrong: what is asked for and not answered tells more.
import { onBeforeUnmount, ref } from 'vue'

export function useOnline() {
  const online = ref(navigator.onLine)
  const notice = () => (online.value = navigator.onLine)
  addEventListener('online', notice)
  addEventListener('offline', notice)
  onBeforeUnmount(() => {
    removeEventListener('online', notice)
    removeEventListener('offline', notice)
  })
  return online
}
