// Where the phone is, if it says so, and how far something is from it. Nothing is sent.
import { ref } from 'vue'

const DEGREE_M = 111_320
const LOOK = { timeout: 8000, maximumAge: 60_000 }

interface Placed {
  lon: number | null
  lat: number | null
}

/** `ask`: whether the phone may ask its owner; else only what they have allowed before is used. */
export function useHere(ask: boolean) {
  const here = ref<[number, number] | null>(null)
  const look = () =>
    navigator.geolocation?.getCurrentPosition(
      ({ coords }) => (here.value = [coords.longitude, coords.latitude]),
      () => {},
      LOOK,
    )
  if (ask) look()
  else navigator.permissions?.query({ name: 'geolocation' }).then(({ state }) => state === 'granted' && look(), () => {})

  /** Metres from here; nothing if either place is unknown. */
  function metres(at: Placed | null | undefined): number | null {
    if (!here.value || !at || at.lon === null || at.lat === null) return null
    const east = (at.lon - here.value[0]) * Math.cos((at.lat * Math.PI) / 180)
    return Math.hypot(east, at.lat - here.value[1]) * DEGREE_M
  }
  return { here, metres }
}

/** The way there in the phone's own map: Apple's devices know no `geo:`. */
export function wayTo(at: Placed | null | undefined): string | null {
  if (!at || at.lon === null || at.lat === null) return null
  const point = `${at.lat},${at.lon}`
  return /iPhone|iPad|Macintosh/.test(navigator.userAgent) ? `https://maps.apple.com/?daddr=${point}` : `geo:${point}?q=${point}`
}
