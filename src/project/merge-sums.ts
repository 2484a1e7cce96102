import type { RollupSum } from './rollup-store.ts'

/** Changes of rollups of two parts of one commit, each sum once. */
export function mergeSums(some: readonly RollupSum[], more: readonly RollupSum[]): readonly RollupSum[] {
  if (more.length === 0) return some
  const merged = new Map<string, RollupSum>()
  for (const one of [...some, ...more]) {
    const id = JSON.stringify([one.rollup, one.tenant, one.group, one.sum])
    const known = merged.get(id)
    const { rows, value } = known ?? { rows: 0, value: 0n }
    merged.set(id, { ...one, rows: rows + one.rows, value: value + one.value })
  }
  return [...merged.values()].filter(({ rows, value }) => rows !== 0 || value !== 0n)
}
