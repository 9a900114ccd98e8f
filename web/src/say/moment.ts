// A moment as it stands in a date-and-time field, in the city's zone, and back. It must never know what the moment is for.
const MINUTE_MS = 60_000

/** `2026-11-22T15:08` in a zone, of a moment in ms. */
export function toField(ms: number, zone: string): string {
  return new Intl.DateTimeFormat('sv-SE', { timeZone: zone, year: 'numeric', month: '2-digit', day: '2-digit', hour: '2-digit', minute: '2-digit', hourCycle: 'h23' })
    .format(ms)
    .replace(' ', 'T')
}

/** The moment in ms that a field's text says in a zone; twice, for the days on which clocks are changed. */
export function fromField(text: string, zone: string): number {
  const wanted = Date.parse(`${text}:00Z`)
  let ms = wanted
  for (let i = 0; i < 2; i++) ms += wanted - Date.parse(`${toField(ms, zone)}:00Z`)
  return ms
}

/** The next whole minute. */
export const whole = (ms: number) => Math.ceil(ms / MINUTE_MS) * MINUTE_MS
