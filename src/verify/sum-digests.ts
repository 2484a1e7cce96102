import { hash } from 'node:crypto'
import type { AnyProjection, RecordedEvent } from '../define/index.ts'
import { makeContributions, rowCount, type StoredSum, shardOf } from '../project/index.ts'
import type { FoldedRow } from './held-rows.ts'
import { bucketCount } from './pass.ts'

/** Which sum of which shard. */
export type SumId = Omit<StoredSum, 'rows' | 'value'>

/**
 * Are sums what rows add up to? Told without holding either: each value, and each count of rows, is multiplied by a number of
 * 256 bits that a hash gives its sum, and what comes of it is added up for each bucket: the stored ones, less what rows add.
 * Where all sums are equal that is zero, and otherwise it is not, unless two hashes were to match by chance.
 */
export interface SumDigests {
  stored(sum: StoredSum): void
  /** As often as rows add to a sum, one after the other. */
  folded(sum: StoredSum): void
  /** The buckets whose sums are not what was folded. */
  differing(): readonly number[]
}

export function makeSumDigests(): SumDigests {
  const [values, rows] = [new Map<number, bigint>(), new Map<number, bigint>()]
  const differing = new Set<number>()
  const factorOf = makeFactors()
  const add = (sum: StoredSum, sign: 1n | -1n): void => {
    const { bucket, factor } = factorOf(sum)
    accumulate(values, bucket, sign * sum.value * factor)
    accumulate(rows, bucket, sign * BigInt(sum.rows) * factor)
  }
  return {
    stored: sum => {
      // No row makes such a sum, and it weighs nothing.
      if (sum.rows === 0 && sum.value === 0n) differing.add(sumBucketOf(sum))
      add(sum, 1n)
    },
    folded: sum => add(sum, -1n),
    differing: () => {
      for (const sums of [values, rows]) for (const [bucket, sum] of sums) if (sum !== 0n) differing.add(bucket)
      return [...differing].sort((a, b) => a - b)
    },
  }
}

function accumulate(sums: Map<number, bigint>, bucket: number, more: bigint): void {
  sums.set(bucket, BigInt.asUintN(256, (sums.get(bucket) ?? 0n) + more))
}

interface Factor {
  readonly bucket: number
  readonly factor: bigint
}

/** Sums whose factors are kept: most rollups have fewer. */
const maxKnown = 20_000

function makeFactors(): (sum: SumId) => Factor {
  const known = new Map<string, Factor>()
  return sum => {
    const id = sumId(sum)
    const found = known.get(id)
    if (found !== undefined) return found
    if (known.size === maxKnown) known.clear()
    const digest = hash('sha256', id, 'hex')
    const factor = { bucket: bucketIn(digest), factor: BigInt(`0x${digest}`) }
    known.set(id, factor)
    return factor
  }
}

export function sumBucketOf(sum: SumId): number {
  return bucketIn(hash('sha256', sumId(sum), 'hex'))
}

function bucketIn(digest: string): number {
  return Number.parseInt(digest.slice(0, 8), 16) % bucketCount
}

export function sumId({ rollup, tenant, group, sum, shard }: SumId): string {
  return [rollup, tenant, group, sum, shard].join('\u0000')
}

/** What a row adds to the sums of its shard. */
export function makeRowSums(projection: AnyProjection): (row: FoldedRow) => readonly StoredSum[] {
  const contributionsOf = makeContributions(projection)
  if (contributionsOf === undefined) return () => []
  return row => {
    // It is not stored, and what it should be is not known.
    if (row.isAnyDoc === true) return []
    const { tenant, position } = row
    const shard = shardOf(row, projection.shards)
    const last = () => ({ position, type: '', id: '' }) as RecordedEvent
    return contributionsOf(JSON.parse(row.doc), last).flatMap(({ rollup, group, sums }) => {
      const one = { rollup, tenant, group, shard, rows: 1 }
      const named = sums.map(([sum, value]): StoredSum => ({ ...one, sum, value: BigInt(value) }))
      return [{ ...one, sum: rowCount, value: 0n }, ...named]
    })
  }
}
