import { rowId, type Snapshot, type StoredSum, shardOf } from '../project/index.ts'
import { makeBesides } from './beside-rows.ts'
import { makeRowsHash, type RowsHash } from './compare.ts'
import { bucketOf } from './pass.ts'
import { makeSeen, type Seen } from './seen.ts'
import type { SidesContext } from './side-by-side.ts'
import { makeTurns } from './turns.ts'

/** What is kept of one snapshot of a view: how much it is and the digests of its rows, and no row. */
export interface Digests extends Pick<Snapshot, 'checkpoints' | 'parked' | 'skips'> {
  readonly rows: number
  /** Of all rows. */
  readonly hash: string
  readonly buckets: ReadonlyMap<number, BucketDigest>
  readonly seen: Seen
}

export interface BucketDigest {
  readonly hash: string
  /** Is there a row whose columns, or what stands beside it, say something else than its document? */
  readonly columnsDiffer: boolean
}

/** The log is read only after the snapshot has ended: an embedded database would never come to it. */
export function readDigests(
  { view, shape, scale, runtime }: SidesContext,
  onSum: (sum: StoredSum) => void,
): Promise<Digests> {
  const turns = makeTurns(runtime)
  const { shards, refs } = shape.projection
  const joins = Object.keys(refs).length > 0
  const withBesides = makeBesides(shape)
  return view.snapshot(async ({ checkpoints, parked, skips, pages, sums }) => {
    const all = makeRowsHash()
    const found = new Map<number, { columnsDiffer: boolean; readonly hash: RowsHash }>()
    const seen = makeSeen(scale)
    const anyDoc = new Set(parked.filter(({ refsAt }) => refsAt === undefined).map(rowId))
    const isMoving = checkpoints.map(({ cursor }) => cursor !== undefined)
    let rows = 0
    for await (const page of pages) {
      for (const row of page) {
        const turn = turns()
        if (turn !== undefined) await turn
        const bucket = bucketOf(row)
        const own = found.get(bucket) ?? { columnsDiffer: false, hash: makeRowsHash() }
        found.set(bucket, own)
        rows++
        own.columnsDiffer ||= withBesides(row).differing.length > 0
        own.hash.add(row)
        all.add(row)
        if (joins && anyDoc.has(rowId(row))) seen.keep(row)
        if (isMoving[shardOf(row, shards)] === true) seen.add(bucket, row)
      }
    }
    for await (const page of sums) for (const sum of page) onSum(sum)
    const buckets = new Map(Array.from(found, ([bucket, own]) => [bucket, { ...own, hash: own.hash.digest() }]))
    return { checkpoints, parked, skips, rows, hash: all.digest(), buckets, seen }
  })
}
