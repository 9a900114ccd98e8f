// The city and its clock, ticking in the page between two tellings of the server.
import { defineStore } from 'pinia'
import { computed, ref } from 'vue'
import { readCity, type City, type CityClock } from '@/api/city'
import { asProblem, type Problem } from '@/api/http'
import { recall, remember } from './remembered'

const CITY = 'zs.city'

export const useCity = defineStore('city', () => {
  const city = ref<City | null>(null)
  const problem = ref<Problem | null>(null)
  const now = ref(Date.now())
  const speed = ref(1)
  const mode = ref('live')
  let told = Date.now()
  let toldAt = performance.now()

  function setClock(clock: Pick<CityClock, 'now' | 'speed'>) {
    const at = new Date(clock.now).getTime()
    if (Number.isNaN(at)) return
    told = at
    toldAt = performance.now()
    speed.value = clock.speed || 1
    tick()
  }

  function tick() {
    now.value = told + (performance.now() - toldAt) * speed.value
  }
  setInterval(tick, 1000)

  /** Without a network: the city as it was last told, and its clock gone on since. */
  function remembered() {
    const seen = recall<{ city: City; at: number }>(CITY)
    if (!seen?.city) return
    const { clock } = seen.city
    city.value = seen.city
    mode.value = clock.mode
    setClock({ now: new Date(Date.parse(clock.now) + (Date.now() - seen.at) * (clock.speed || 1)).toISOString(), speed: clock.speed })
  }

  let loading: Promise<void> | null = null
  async function load(again = false) {
    if (city.value && !again) return
    loading ??= (async () => {
      try {
        city.value = await readCity()
        problem.value = null
        remember(CITY, { city: city.value, at: Date.now() })
        mode.value = city.value.clock.mode
        setClock(city.value.clock)
      } catch (error) {
        problem.value = asProblem(error)
        if (problem.value.code === 'unreachable' && !city.value) remembered()
      } finally {
        loading = null
      }
    })()
    await loading
  }

  addEventListener('online', () => problem.value && void load(true))

  const zone = computed(() => city.value?.time_zone ?? 'Asia/Shanghai')
  const code = computed(() => city.value?.code ?? '')
  const sandbox = computed(() => city.value?.sandbox ?? false)
  /** Whether the city's time is everyone's: neither played again nor faster. */
  const live = computed(() => mode.value === 'live' && speed.value === 1)
  return { city, problem, now, speed, mode, live, zone, code, sandbox, load, setClock }
})
