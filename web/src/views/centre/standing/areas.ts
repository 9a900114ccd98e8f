// Areas nest by their code: two digits province, two city, then district, street, community, cell.
const CUTS = [4, 6, 9, 12, 15]

function stem(code: string): string {
  for (const cut of CUTS) if (!Number(code.slice(cut))) return code.slice(0, cut)
  return code
}

/** Whether any area of one list lies in, holds, or is one of the other's. */
export const meet = (some: string[], others: string[]) => some.some((a) => others.some((b) => a.startsWith(stem(b)) || b.startsWith(stem(a))))
