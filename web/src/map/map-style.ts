// The base map, dark for the screen and light for the desk: almost no colour, so that what is wrong is seen. Tiles come from one PMTiles file.
import type { ExpressionSpecification, LayerSpecification, StyleSpecification } from 'maplibre-gl'
import { words } from '@/words'

const FONT = ['Noto Sans CJK SC', 'PingFang SC', 'Microsoft YaHei', 'sans-serif']
type Ink = Record<'ground' | 'land' | 'water' | 'road' | 'arterial' | 'building' | 'edge' | 'district' | 'underpass' | 'device' | 'label' | 'strong', string>
const DARK: Ink = { ground: '#0e1419', land: '#121a20', water: '#152634', road: '#1d2831', arterial: '#293743', building: '#1c2831', edge: '#2c3a45', district: '#43535f', underpass: '#5d6f7c', device: '#6b7c88', label: '#9fb0bc', strong: '#c6d1d9' }
const LIGHT: Ink = { ground: '#f6f7f8', land: '#ffffff', water: '#dbe6ee', road: '#e6eaed', arterial: '#d3dadf', building: '#e3e8eb', edge: '#c3ccd3', district: '#8b98a2', underpass: '#8b98a2', device: '#8b98a2', label: '#55636e', strong: '#1b242b' }
const tone = (dark: boolean): ExpressionSpecification =>
  dark
    ? ['match', ['get', 'level'], 'red', '#f0645c', 'orange', '#ee8a3a', 'yellow', '#e3c04a', '#6b7c88']
    : ['match', ['get', 'level'], 'red', '#b3261e', 'orange', '#a84b00', 'yellow', '#806000', '#8b98a2']
const EMPTY = { type: 'FeatureCollection' as const, features: [] }

export function labelField(): ExpressionSpecification {
  const first = words.global.locale.value === 'en' ? 'name_en' : 'name_zh'
  return ['coalesce', ['get', first], ['get', 'name_zh'], '']
}

function label(id: string, kinds: string[], minzoom: number, size: number, color: string, halo: string) {
  return {
    id,
    type: 'symbol' as const,
    source: 'base',
    'source-layer': 'label',
    minzoom,
    filter: ['in', ['get', 'kind'], ['literal', kinds]] as ExpressionSpecification,
    layout: { 'text-field': labelField(), 'text-font': FONT, 'text-size': size, 'text-max-width': 9, 'text-padding': 6 },
    paint: { 'text-color': color, 'text-halo-color': halo, 'text-halo-width': 1.4 },
  }
}

function raised(base: { id: string; source: string; 'source-layer': string }, ink: Ink): LayerSpecification {
  return {
    ...base,
    type: 'fill-extrusion',
    minzoom: 14,
    paint: { 'fill-extrusion-color': ink.building, 'fill-extrusion-height': ['coalesce', ['get', 'height'], 6], 'fill-extrusion-opacity': 0.9 },
  }
}

export const LABELS = ['label-device', 'label-district', 'label-street', 'label-community', 'label-place']

/** The areas' edges where no base map draws them. */
const edges = (ink: Ink): LayerSpecification => ({ id: 'area-edges', type: 'line', source: 'areas', paint: { 'line-color': ink.edge, 'line-width': 0.7 } })

export function mapStyle(tiles: string | null, dark: boolean): StyleSpecification {
  const style = wholeStyle(tiles ?? '', dark)
  if (tiles) return style
  const { base: _unused, ...sources } = style.sources
  const own = style.layers.filter((layer) => !('source' in layer) || layer.source !== 'base')
  return { ...style, sources, layers: own.flatMap((layer) => (layer.id === 'area-touch' ? [layer, edges(dark ? DARK : LIGHT)] : [layer])) }
}

function wholeStyle(tiles: string, dark: boolean): StyleSpecification {
  const INK = dark ? DARK : LIGHT
  const TONE = tone(dark)
  const base = (id: string, layer: string) => ({ id, source: 'base', 'source-layer': layer })
  return {
    version: 8,
    sources: {
      base: { type: 'vector', url: `pmtiles://${tiles}` },
      rain: { type: 'geojson', data: EMPTY },
      areas: { type: 'geojson', data: EMPTY },
      devices: { type: 'geojson', data: EMPTY },
      overlay: { type: 'geojson', data: EMPTY },
    },
    layers: [
      { id: 'ground', type: 'background', paint: { 'background-color': INK.ground } },
      { ...base('land', 'district'), type: 'fill', paint: { 'fill-color': INK.land } },
      { ...base('water', 'water'), type: 'fill', paint: { 'fill-color': INK.water } },
      { ...base('river', 'river'), type: 'fill', filter: ['==', ['geometry-type'], 'Polygon'], paint: { 'fill-color': INK.water } },
      { ...base('river-line', 'river'), type: 'line', filter: ['==', ['geometry-type'], 'LineString'], paint: { 'line-color': INK.water, 'line-width': ['interpolate', ['linear'], ['zoom'], 9, 1.5, 14, 8] } },
      {
        ...base('road', 'road'),
        type: 'line',
        layout: { 'line-sort-key': ['match', ['get', 'class'], ['expressway', 'arterial', 'primary', 'trunk'], 1, 0] },
        paint: {
          'line-color': ['match', ['get', 'class'], ['expressway', 'arterial', 'primary', 'trunk'], INK.arterial, INK.road],
          'line-width': ['interpolate', ['linear'], ['zoom'], 9, ['match', ['get', 'class'], ['expressway', 'arterial', 'primary', 'trunk'], 0.8, 0.2], 15, ['match', ['get', 'class'], ['expressway', 'arterial', 'primary', 'trunk'], 6, 2.5]],
        },
      },
      { ...base('building', 'building'), type: 'fill', minzoom: 12, maxzoom: dark ? 14 : 24, paint: { 'fill-color': INK.building } },
      ...(dark ? [raised(base('building-3d', 'building'), INK)] : []),
      { ...base('community-edge', 'community'), type: 'line', minzoom: 13, paint: { 'line-color': INK.edge, 'line-width': 0.5, 'line-dasharray': [2, 3] } },
      { ...base('street-edge', 'street'), type: 'line', paint: { 'line-color': INK.edge, 'line-width': 0.7 } },
      { ...base('district-edge', 'district'), type: 'line', paint: { 'line-color': INK.district, 'line-width': 1.2 } },
      { ...base('underpass', 'underpass'), type: 'line', minzoom: 11, filter: ['!=', ['geometry-type'], 'Point'], paint: { 'line-color': INK.underpass, 'line-width': 2 } },
      { id: 'rain', type: 'fill', source: 'rain', filter: ['==', ['geometry-type'], 'Polygon'], paint: { 'fill-color': '#6fa3e8', 'fill-opacity': 0.09, 'fill-antialias': false } },
      { id: 'rain-path', type: 'line', source: 'rain', filter: ['==', ['geometry-type'], 'LineString'], paint: { 'line-color': '#6fa3e8', 'line-opacity': 0.5, 'line-width': 1, 'line-dasharray': [4, 4] } },
      { id: 'area-touch', type: 'fill', source: 'areas', paint: { 'fill-color': '#000000', 'fill-opacity': 0 } },
      { id: 'area-fill', type: 'fill', source: 'areas', filter: ['in', ['get', 'level'], ['literal', ['yellow', 'orange', 'red']]], paint: { 'fill-color': TONE, 'fill-opacity': 0.16 } },
      { id: 'area-edge', type: 'line', source: 'areas', filter: ['in', ['get', 'level'], ['literal', ['yellow', 'orange', 'red']]], paint: { 'line-color': TONE, 'line-width': 1.5 } },
      {
        id: 'device',
        type: 'circle',
        source: 'devices',
        paint: {
          'circle-radius': ['interpolate', ['linear'], ['zoom'], 10, ['case', ['get', 'bad'], 5, ['get', 'named'], 4, 2], 15, ['case', ['get', 'bad'], 8, 5]],
          'circle-color': ['case', ['get', 'bad'], TONE, INK.ground],
          'circle-stroke-color': ['case', ['get', 'bad'], TONE, INK.device],
          'circle-stroke-width': 1,
        },
      },
      { ...label('label-place', [], 13, 14, INK.label, INK.ground), filter: ['!', ['in', ['get', 'kind'], ['literal', ['district', 'street', 'city', 'community']]]] },
      label('label-community', ['community'], 14, 12, INK.label, INK.ground),
      label('label-street', ['street'], 11.2, 14, INK.label, INK.ground),
      label('label-district', ['district'], 8, 16, INK.strong, INK.ground),
      {
        id: 'label-device',
        type: 'symbol',
        source: 'devices',
        filter: ['get', 'named'],
        layout: { 'text-field': labelField(), 'text-font': FONT, 'text-size': 14, 'text-variable-anchor': ['left', 'right', 'top', 'bottom'], 'text-radial-offset': 0.7, 'text-justify': 'auto' },
        paint: { 'text-color': INK.label, 'text-halo-color': INK.ground, 'text-halo-width': 1.4 },
      },
      ...overlay(INK),
    ],
  }
}

/** What is drawn over the map for a while: models' objects thin, what comes out of order as filled marks, what is set as hollow ones, what is pointed at dashed. */
function overlay(ink: Ink): LayerSpecification[] {
  const over = { source: 'overlay' as const }
  const look = (...names: string[]): ExpressionSpecification => ['in', ['get', 'look'], ['literal', names]]
  const form = (name: string): ExpressionSpecification => ['==', ['geometry-type'], name]
  const TONE: ExpressionSpecification = ['get', 'tone']
  return [
    { id: 'over-area', type: 'fill', ...over, filter: ['all', look('wish'), form('Polygon')], paint: { 'fill-color': TONE, 'fill-opacity': 0.1 } },
    { id: 'over-model', type: 'line', ...over, filter: ['all', look('model'), form('LineString')], paint: { 'line-color': TONE, 'line-width': 1.25, 'line-opacity': 0.55 } },
    { id: 'over-model-dot', type: 'circle', ...over, filter: ['all', look('model'), form('Point')], paint: { 'circle-radius': 2.5, 'circle-color': ink.ground, 'circle-stroke-color': TONE, 'circle-stroke-width': 1, 'circle-stroke-opacity': 0.7 } },
    { id: 'over-line', type: 'line', ...over, filter: ['all', look('out', 'set'), form('LineString')], layout: { 'line-cap': 'round' }, paint: { 'line-color': TONE, 'line-width': 5 } },
    { id: 'over-wish', type: 'line', ...over, filter: look('wish'), paint: { 'line-color': TONE, 'line-width': 2, 'line-dasharray': [3, 2] } },
    {
      id: 'over-dot',
      type: 'circle',
      ...over,
      filter: ['all', look('out', 'set'), form('Point')],
      paint: { 'circle-radius': ['interpolate', ['linear'], ['zoom'], 11, 5, 15, 9], 'circle-color': ['match', ['get', 'look'], 'set', ink.ground, TONE], 'circle-stroke-color': ['match', ['get', 'look'], 'set', TONE, ink.ground], 'circle-stroke-width': 1.5 },
    },
    {
      id: 'over-mark',
      type: 'symbol',
      ...over,
      minzoom: 12,
      filter: look('out', 'set'),
      layout: { 'symbol-placement': 'point', 'text-field': ['get', 'mark'], 'text-font': FONT, 'text-size': 10, 'text-allow-overlap': true, 'text-ignore-placement': true },
      paint: { 'text-color': ['match', ['get', 'look'], 'set', TONE, ink.ground] },
    },
  ]
}

const EARTH_M = 111_320

export function circle(centre: [number, number], radius: number): number[][] {
  const squeeze = Math.cos((centre[1] * Math.PI) / 180)
  return Array.from({ length: 65 }, (_, i) => {
    const turn = (i / 64) * 2 * Math.PI
    return [centre[0] + (radius * Math.cos(turn)) / (EARTH_M * squeeze), centre[1] + (radius * Math.sin(turn)) / EARTH_M]
  })
}
