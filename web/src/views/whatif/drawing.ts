// What is being pointed at: a place, a line or an area put together click by click, or objects by their names.
import { computed, ref } from 'vue'
import type { Shape } from '@/api/foresight'

export type Mode = 'place' | 'line' | 'area'
const DIGITS = 1e6
const rounded = ([lon, lat]: [number, number]): [number, number] => [Math.round(lon * DIGITS) / DIGITS, Math.round(lat * DIGITS) / DIGITS]

export function useDrawing() {
  const mode = ref<Mode>('place')
  const points = ref<[number, number][]>([])
  const named = ref<string[]>([])
  const label = ref('')
  const active = ref(false)

  const shape = computed<Shape | null>(() => {
    const all = points.value
    if (!all.length) return null
    if (mode.value === 'line') return all.length > 1 ? { type: 'LineString', coordinates: all } : null
    if (mode.value === 'area') return all.length > 2 ? { type: 'Polygon', coordinates: [[...all, all[0]!]] } : null
    return { type: 'Point', coordinates: all[0]! }
  })
  const ready = computed(() => shape.value !== null || named.value.length > 0)

  function put(at: [number, number], called = '') {
    named.value = []
    label.value = called
    points.value = mode.value === 'place' ? [rounded(at)] : [...points.value, rounded(at)]
  }
  function name(object: string) {
    points.value = []
    label.value = ''
    if (!named.value.includes(object)) named.value = [...named.value, object]
  }
  function clear() {
    points.value = []
    named.value = []
    label.value = ''
  }
  function undo() {
    points.value = points.value.slice(0, -1)
  }
  function as(next: Mode) {
    mode.value = next
    clear()
  }
  return { mode, points, named, label, active, shape, ready, put, name, clear, undo, as }
}

export type Drawing = ReturnType<typeof useDrawing>
