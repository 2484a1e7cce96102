import type { Read, RowKey, Scan } from './store.ts'

/** One sum of a group of a rollup, or how a batch changes it. */
export interface RollupSum {
  readonly rollup: string
  readonly tenant: string
  readonly group: string
  /** The name that the definition gives it. The group's own count of rows has the name `''`, and the value 0. */
  readonly sum: string
  /** How many rows add to it. */
  readonly rows: number
  /** Exact, whatever its size. */
  readonly value: bigint
}

/** A sum as one shard has it: what the rows of that shard add up to. */
export interface StoredSum extends RollupSum {
  readonly shard: number
}

/** A group that has rows, with its sums over all shards, in the order of their names. */
export interface RollupGroup {
  readonly group: string
  readonly sums: readonly (readonly [sum: string, value: bigint])[]
}

/** The rollups of a view, added up over its shards. What is read is as of the lowest shard, in the snapshot of the sums. */
export interface RollupReads {
  /** Groups by tenant and name (the key), in order; `null` for those without rows. */
  get(rollup: string, groups: readonly RowKey[]): Promise<Read<readonly (RollupGroup | null)[]>>
  /** Groups of a tenant in their order: a scan along the index `['group']`. */
  list(rollup: string, scan: Scan): Promise<Read<readonly RollupGroup[]>>
}
