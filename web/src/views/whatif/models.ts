// What a model's drawing holds, and whether it lies anywhere on earth.
import type { Drawn, Lever } from '@/api/foresight'

/** A model without a place on earth is drawn in its own plane. */
export const nowhere = (crs: string) => !crs || crs.startsWith('plane:')
const LINES = new Set(['link', 'edge', 'line', 'pump'])

/** The drawn objects a lever can speak of: those of its kind, or, where kinds have other names in the drawing, those of its form. */
export function ofKind(features: Drawn[], lever: Pick<Lever, 'target'>): Drawn[] {
  const kind = lever.target.split(':')[1]?.split('.')[0] ?? ''
  const own = features.filter((one) => one.properties.kind === kind)
  if (own.length) return own
  return features.filter((one) => one.geometry && one.geometry.type === (LINES.has(kind) ? 'LineString' : 'Point'))
}

/** Every position of a shape, flat. */
export function positions(coordinates: unknown): [number, number][] {
  if (!Array.isArray(coordinates) || !coordinates.length) return []
  if (typeof coordinates[0] === 'number') return [[Number(coordinates[0]), Number(coordinates[1])]]
  return coordinates.flatMap(positions)
}
