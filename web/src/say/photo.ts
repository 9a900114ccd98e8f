// What a photograph's own remarks say beside a case: when it was taken, and how far from it. A camera's word proves nothing by itself.
import { useI18n } from 'vue-i18n'
import type { Evidence } from '@/api/cases'
import { useTime } from './time'

const DEGREE_M = 111_320
const KM = 1000
/** Beyond so many metres a photograph is said to be from elsewhere. */
const FAR_M = 200

export function usePhoto() {
  const { t } = useI18n()
  const time = useTime()
  return (photo: Evidence, at: { lon: number | null; lat: number | null; opened: string }): string => {
    const said: string[] = []
    if (photo.taken) said.push(t(Date.parse(photo.taken) < Date.parse(at.opened) ? 'photo.before' : 'photo.taken', { at: time.soon(photo.taken) }))
    if (photo.lon != null && photo.lat != null && at.lon !== null && at.lat !== null) {
      const metres = Math.hypot((photo.lon - at.lon) * DEGREE_M * Math.cos((at.lat * Math.PI) / 180), (photo.lat - at.lat) * DEGREE_M)
      const far = metres < KM ? `${Math.round(metres)} m` : `${(metres / KM).toFixed(1)} km`
      said.push(t(metres > FAR_M ? 'photo.far' : 'photo.near', { far }))
    }
    return said.join(' · ')
  }
}
