// What the screen's map stands on: the city's own bounds where it is surveyed, else the bounds of what has a place; nothing where nothing has.
import { computed, shallowRef, watch } from 'vue'
import { listEntities, type Entity } from '@/api/entities'
import { useCity } from '@/state/city'
import { calmly, useHearing } from '@/state/use'

export type Bounds = [number, number, number, number]

/** Wider than this no city is: such bounds were never surveyed. */
const WORLD_DEG = 90
/** A few stations close together are not looked at from the roof. */
const LEAST_DEG = 0.04
/** Room for the names beside the outermost. */
const MARGIN = 0.1
const MOST = 1000
const LOOK_AGAIN_MS = 15_000
/** What one does not point at on a map of stations. */
const NO_STATION = new Set(['Building', 'Road', 'Organisation', 'Case', 'Request'])

export function useGround() {
  const city = useCity()
  const stations = shallowRef<Entity[]>([])
  const asked = shallowRef(false)
  const surveyed = computed(() => {
    const told = city.city
    return Boolean(told && (told.map || told.bounds[2] - told.bounds[0] < WORLD_DEG))
  })

  async function load() {
    if (!city.city || city.sandbox) return
    try {
      const { items } = await listEntities({ limit: MOST })
      const placed = items.filter((one) => one.lon !== null && one.lat !== null && !NO_STATION.has(one.type))
      if (placed.map((one) => one.id).join() !== stations.value.map((one) => one.id).join()) stations.value = placed
    } catch (error) {
      console.warn(error)
    }
    asked.value = true
  }
  watch(
    () => city.city?.code,
    () => void load(),
    { immediate: true },
  )
  useHearing('open', load)
  const again = calmly(load, LOOK_AGAIN_MS)
  useHearing('reading', () => {
    if (!stations.value.length) again()
  })

  const bounds = computed<Bounds | null>(() => {
    if (!city.city) return null
    if (surveyed.value) return city.city.bounds
    if (!stations.value.length) return null
    const lons = stations.value.map((one) => one.lon!)
    const lats = stations.value.map((one) => one.lat!)
    const [west, south, east, north] = [Math.min(...lons), Math.min(...lats), Math.max(...lons), Math.max(...lats)]
    const wide = Math.max(MARGIN * (east - west), (LEAST_DEG - (east - west)) / 2)
    const high = Math.max(MARGIN * (north - south), (LEAST_DEG - (north - south)) / 2)
    return [west - wide, south - high, east + wide, north + high]
  })
  /** Asked, and nothing in the city has a place. */
  const bare = computed(() => asked.value && bounds.value === null)
  return { stations, surveyed, bounds, bare }
}
