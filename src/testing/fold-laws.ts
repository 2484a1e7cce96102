import { type AnyProjection, BifoldError, type RecordedEvent } from '../define/index.ts'
import { type Anchor, fingerprintOf, origin, systemRuntime } from '../log/index.ts'
import { makeFolding, makeRowCache, prepareBatch, type RowKey, rowId, viewShapeOf } from '../project/index.ts'
import { recordedFrom, type SampleEvent } from './sample-events.ts'
import { seeded } from './seeded.ts'

export interface FoldLawsOptions {
  /** In the order of the log. They should touch some rows several times, and delete some. */
  readonly events: readonly SampleEvent[]
  /** How many ways of folding them are tried. Default 100. */
  readonly runs?: number
  /** Of the first way; the others follow from it. Default 1. */
  readonly seed?: number
}

/** Bytes and position of each row, by `rowId`. */
type Rows = Map<string, RowKey & { readonly position: number; readonly doc: string }>

/**
 * Does a projection give the same rows, to the byte, however its events are folded? They are folded at once; and then in
 * batches that are split at random, in a random number of shards, by processes that crash at random before and after they
 * have committed, so that rows are read back from where they are stored. What folds differently lets no rebuild, no
 * verification and no second process agree with it: it depends on the clock, on chance, or on a variable outside of it.
 *
 * @throws `testing/fold-law-broken` with the seed that shows it · `project/fold-failed`, `project/invalid-row` or
 * `project/invalid-key` where a fold fails on an event.
 */
export async function foldLaws(projection: AnyProjection, options: FoldLawsOptions): Promise<void> {
  const { runs = 100, seed = 1 } = options
  const events = await recordedFrom(projection, options.events)
  const expected = await fold(projection, events, { shards: 1, batchEvents: () => events.length, crashes: () => false })
  for (let run = 0; run < runs; run++) {
    const random = seeded(seed + run)
    const upTo = (most: number): number => 1 + Math.floor(random() * most)
    const shards = upTo(4)
    const largest = upTo(events.length)
    const crashRate = random() * 0.5
    const way = { shards, batchEvents: () => upTo(largest), crashes: () => random() < crashRate }
    const found = await fold(projection, events, way)
    const wrong = firstDifference(expected, found)
    if (wrong !== undefined) {
      throw new BifoldError('testing/fold-law-broken', { projection: projection.name, seed: seed + run, ...wrong })
    }
  }
}

interface Way {
  readonly shards: number
  readonly batchEvents: () => number
  readonly crashes: () => boolean
}

async function fold(projection: AnyProjection, events: readonly RecordedEvent[], way: Way): Promise<Rows> {
  const rows: Rows = new Map()
  for (let shard = 0; shard < way.shards; shard++) {
    await foldShard({ ...projection, shards: way.shards }, shard, events, way, rows)
  }
  return rows
}

/** More than any rows of samples take: what is to be forgotten is forgotten by a crash. */
const cacheBytes = 2 ** 30

async function foldShard(
  projection: AnyProjection,
  shard: number,
  events: readonly RecordedEvent[],
  { batchEvents, crashes }: Way,
  rows: Rows,
): Promise<void> {
  const cache = makeRowCache(cacheBytes)
  const load = async (keys: readonly RowKey[]): Promise<ReadonlyMap<string, string>> =>
    new Map(keys.map(rowId).flatMap(id => (rows.has(id) ? [[id, (rows.get(id) as { doc: string }).doc]] : [])))
  const folding = makeFolding(viewShapeOf(projection), shard)
  const context = { folding, view: { load }, cache, runtime: systemRuntime, turnEvents: 500 }
  let cursor: Anchor = origin
  while (cursor.position < events.length) {
    const part = events.slice(cursor.position, cursor.position + batchEvents())
    const through = anchorOf(part.at(-1), cursor)
    const batch = await prepareBatch({ events: part, through, atHead: false }, cursor, context)
    if (batch.failure !== undefined) throw batch.failure.error
    const before = crashes()
    if (!before) {
      for (const key of batch.deletes) rows.delete(rowId(key))
      for (const { tenant, key, position, doc } of batch.upserts)
        rows.set(rowId({ tenant, key }), { tenant, key, position, doc })
      cursor = through
    }
    if (before || crashes()) cache.clear(false)
  }
}

function anchorOf(last: RecordedEvent | undefined, from: Anchor): Anchor {
  return last === undefined ? from : { position: last.position, fingerprint: fingerprintOf(last.id) }
}

function firstDifference(expected: Rows, found: Rows) {
  for (const id of new Set([...expected.keys(), ...found.keys()])) {
    const [one, other] = [expected.get(id), found.get(id)]
    if (one?.doc === other?.doc && one?.position === other?.position) continue
    const { tenant, key } = (one ?? other) as RowKey
    return { tenant, key, atOnce: one?.doc ?? null, inParts: other?.doc ?? null }
  }
  return undefined
}
