// What is said aloud, as words, where the browser can; what it cannot is told.
import { ref } from 'vue'

type Recogniser = { lang: string; onresult: (event: { results: { 0: { transcript: string } }[] }) => void; onend: () => void; onerror: () => void; start: () => void; stop: () => void }
const speech = (window as unknown as Record<string, (new () => Recogniser) | undefined>).webkitSpeechRecognition

export function useEar(heard: (words: string) => unknown, failed: () => unknown) {
  const hearing = ref(false)
  let now: Recogniser | null = null
  function listen(language: string) {
    if (!speech) return
    const ear = new speech()
    ear.lang = language === 'en' ? 'en-GB' : 'zh-CN'
    ear.onresult = (event) => heard(event.results[0]?.[0].transcript ?? '')
    ear.onend = () => (hearing.value = false)
    ear.onerror = () => {
      hearing.value = false
      failed()
    }
    hearing.value = true
    now = ear
    ear.start()
  }
  /** What was said so far is still written down. */
  const enough = () => now?.stop()
  return { able: Boolean(speech), hearing, listen, enough }
}
