import type { Column } from '../../define/index.ts'
import type { Anchor } from '../../log/index.ts'
import {
  compareSums,
  type Read,
  type RollupGroup,
  type RollupReads,
  type RollupSum,
  rowCount,
  type StoredSum,
  type Upsert,
} from '../../project/index.ts'
import { scanned } from './scan.ts'

/** The sums of a view in memory, shard by shard. */
export interface MemorySums {
  readonly reads: RollupReads
  add(shard: number, changes: readonly RollupSum[]): void
  clear(): void
  /** In the order in which snapshots give them. */
  all(): readonly StoredSum[]
}

const columns: readonly Column[] = [{ name: 'group', type: 'text', nullable: false }]

const idOf = ({ rollup, tenant, group, sum }: RollupSum, shard: number): string =>
  [rollup, tenant, group, sum, shard].join('\u0000')

export function memorySums(asOf: () => Anchor): MemorySums {
  const sums = new Map<string, StoredSum>()

  function groupOf(rollup: string, tenant: string, group: string): RollupGroup | null {
    const own = [...sums.values()].filter(sum => sum.rollup === rollup && sum.tenant === tenant && sum.group === group)
    if (own.length === 0) return null
    const names = [...new Set(own.map(({ sum }) => sum))].filter(name => name !== rowCount).sort()
    const valueOf = (name: string): bigint =>
      own.filter(({ sum }) => sum === name).reduce((total, { value }) => total + value, 0n)
    return { group, sums: names.map(name => [name, valueOf(name)]) }
  }
  /** The groups of a rollup, as the rows that a scan goes through. */
  function rowsOf(rollup: string): readonly Upsert[] {
    const counts = [...sums.values()].filter(sum => sum.rollup === rollup && sum.sum === rowCount)
    const groups = new Map(counts.map(({ tenant, group }) => [`${tenant}\u0000${group}`, { tenant, key: group }]))
    return [...groups.values()].map(group => ({ ...group, position: 0, row: { group: group.key }, doc: '' }))
  }
  const read = <T>(value: T): Read<T> => ({ value, asOf: asOf() })

  return {
    reads: {
      get: async (rollup, groups) => read(groups.map(({ tenant, key }) => groupOf(rollup, tenant, key))),
      list: async (rollup, scan) =>
        read(scanned(rowsOf(rollup), columns, scan).flatMap(({ key }) => groupOf(rollup, scan.tenant, key) ?? [])),
    },
    add: (shard, changes) => {
      for (const change of changes) {
        const id = idOf(change, shard)
        const before = sums.get(id)
        const rows = (before?.rows ?? 0) + change.rows
        if (rows === 0) sums.delete(id)
        else sums.set(id, { ...change, shard, rows, value: (before?.value ?? 0n) + change.value })
      }
    },
    clear: () => sums.clear(),
    all: () => [...sums.values()].sort((a, b) => compareSums(a, b) || a.shard - b.shard),
  }
}
