// What is said aloud, as words, where the browser can; what it cannot is told.
import { ref } from 'vue'

interface Result {
  isFinal: boolean
  0: { transcript: string }
}
interface Recogniser {
  lang: string
  continuous: boolean
  onresult: (event: { resultIndex: number; results: ArrayLike<Result> }) => void
  onend: () => void
  onerror: (event: { error: string }) => void
  start: () => void
  stop: () => void
}
const speech = (window as unknown as Record<string, (new () => Recogniser) | undefined>).webkitSpeechRecognition
/** Nothing was said, or it was ended: neither says that the browser cannot hear. */
const QUIET = ['no-speech', 'aborted']

/** `whole`: it hears until it is told that it is enough, and all that is said; else one utterance. */
export function useEar(heard: (words: string) => unknown, failed: () => unknown, whole = false) {
  const hearing = ref(false)
  let now: Recogniser | null = null
  function listen(language: string) {
    if (!speech) return
    now?.stop()
    const ear = new speech()
    ear.lang = language === 'en' ? 'en-GB' : 'zh-CN'
    ear.continuous = whole
    ear.onresult = ({ resultIndex, results }) => {
      const words = Array.from(results).slice(resultIndex).filter((one) => one.isFinal).map((one) => one[0].transcript).join('')
      if (words) heard(words)
    }
    /** One that ends late says nothing of the one that has begun since. */
    const over = () => {
      if (now !== ear) return
      now = null
      hearing.value = false
    }
    ear.onend = over
    ear.onerror = ({ error }) => {
      if (now !== ear) return
      over()
      if (!whole || !QUIET.includes(error)) failed()
    }
    now = ear
    hearing.value = true
    try {
      ear.start()
    } catch (error) {
      console.warn(error)
      over()
      failed()
    }
  }
  /** What was said so far is still written down. */
  function enough() {
    now?.stop()
    if (whole) hearing.value = false
  }
  return { able: Boolean(speech), hearing, listen, enough }
}
