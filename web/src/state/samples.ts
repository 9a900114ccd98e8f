// Sample pictures the phone keeps, so that they are seen without a network. An address holds the digest of its picture: what is kept under it never changes.
import { ref, watch, onScopeDispose, type Ref } from 'vue'
import { store } from './stored'

interface Kept {
  id: string
  picture: Blob
}

const kept = store<Kept>('zs.samples', 'pictures', { keyPath: 'id' })

async function picture(url: string): Promise<Blob> {
  const held = (await kept.all().catch(() => [])).find((one) => one.id === url)
  if (held) return held.picture
  const answer = await fetch(url)
  if (!answer.ok) throw new Error(`${url}: ${answer.status}`)
  const fresh = await answer.blob()
  await kept.put({ id: url, picture: fresh }).catch(() => {})
  return fresh
}

/** Keep these pictures and let go of all others. */
export async function keepSamples(urls: Iterable<string>) {
  const wanted = new Set([...urls].filter(Boolean))
  for (const one of await kept.all()) if (!wanted.has(one.id)) await kept.drop(one.id)
  for (const url of wanted) await picture(url).catch(() => {})
}

/** Gives what an `img` may show: the kept picture or the network's; '' where there is none. */
export function useSample(url: () => string): Ref<string> {
  const shown = ref('')
  let turn = 0
  const free = () => shown.value && URL.revokeObjectURL(shown.value)
  watch(
    url,
    async (now) => {
      const mine = ++turn
      const found = now ? await picture(now).catch(() => null) : null
      if (mine !== turn) return
      free()
      shown.value = found ? URL.createObjectURL(found) : ''
    },
    { immediate: true },
  )
  onScopeDispose(() => {
    turn += 1
    free()
  })
  return shown
}
