import type { RollupSum, StoredSum } from '../project/index.ts'
import type { Pass } from './pass.ts'
import { type SumId, sumId } from './sum-digests.ts'

export interface HeldSum {
  readonly id: SumId
  /** As the store has it. */
  stored?: Added
  /** As rows that the log makes add up. */
  folded?: Added
}

export type Added = Pick<RollupSum, 'rows' | 'value'>

/** The sums of a pass, by their buckets. */
export interface HeldSums {
  stored(sum: StoredSum): void
  /** As often as rows add to a sum, one after the other. */
  folded(sum: StoredSum): void
  /** Bucket by bucket, in no order. */
  inBuckets(): Generator<Iterable<HeldSum>>
}

export function makeHeldSums(pass: Pass, bucketFor: (sum: SumId) => number): HeldSums {
  const held = new Map<number, Map<string, HeldSum>>()
  pass.onLeave(bucket => {
    held.delete(bucket)
  })
  function find(sum: StoredSum): HeldSum | undefined {
    const bucket = bucketFor(sum)
    if (!pass.holds(bucket)) return undefined
    const id = sumId(sum)
    const known = held.get(bucket)?.get(id)
    if (known !== undefined) return known
    if (!pass.weigh(bucket, sumBytes(sum))) return undefined
    const { rollup, tenant, group, sum: name, shard } = sum
    const made: HeldSum = { id: { rollup, tenant, group, sum: name, shard } }
    const own = held.get(bucket) ?? new Map<string, HeldSum>()
    held.set(bucket, own.set(id, made))
    return made
  }
  return {
    stored: sum => {
      const found = find(sum)
      if (found !== undefined) found.stored = sum
    },
    folded: sum => {
      const found = find(sum)
      if (found === undefined) return
      const { rows, value } = found.folded ?? { rows: 0, value: 0n }
      found.folded = { rows: rows + sum.rows, value: value + sum.value }
    },
    inBuckets: function* () {
      for (const bucket of pass.buckets) yield held.get(bucket)?.values() ?? []
    },
  }
}

/** About what a sum takes in memory. */
function sumBytes({ rollup, tenant, group, sum }: SumId): number {
  return 500 + 2 * (rollup.length + tenant.length + group.length + sum.length)
}
