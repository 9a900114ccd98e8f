// Numbers as people read them.
export function figure(value: number | string | null | undefined, decimals?: number): string {
  if (value === null || value === undefined || value === '') return '—'
  const n = Number(value)
  if (!Number.isFinite(n)) return String(value)
  return n.toLocaleString('en-US', {
    maximumFractionDigits: decimals ?? (Math.abs(n) >= 100 ? 0 : Math.abs(n) >= 10 ? 1 : 2),
    minimumFractionDigits: decimals ?? 0,
  })
}

export const unitOf = (unit: string | null | undefined) => (unit && unit !== '1' ? unit.replace(/m([23])\b/g, (_, n: string) => `m${n === '2' ? '²' : '³'}`) : '')
