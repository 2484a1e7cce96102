import { type AnyProjection, BifoldError, type RecordedEvent } from '../define/index.ts'
import { type Anchor, fingerprintOf, origin, systemRuntime } from '../log/index.ts'
import {
  type Batch,
  type JoinCursor,
  type LoadedRow,
  makeAside,
  makeFolding,
  makeRowCache,
  makeTurns,
  mustFold,
  prepareBatch,
  presentDependents,
  type ReferredView,
  type RollupSum,
  type RowKey,
  rowCount,
  rowId,
  viewShapeOf,
} from '../project/index.ts'
import { joinOf, referredIn } from './join-samples.ts'
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
type Rows = Map<string, RowKey & LoadedRow>

/** The sums of all rollups, over all shards. */
type Sums = Map<string, RollupSum>

interface Made {
  readonly rows: Rows
  readonly sums: Sums
}

/**
 * Does a projection give the same rows and rollups, to the byte, however its events are folded? They are folded at once;
 * and then in batches that are split at random, in a random number of shards, by processes that crash at random before and
 * after they have committed, and between the parts of what makes rows anew, so that rows are read back from where they are
 * stored. What folds differently lets no rebuild, no verification and no second process agree with it: it depends on the
 * clock, on chance, or on a variable outside of it.
 *
 * @throws `testing/fold-law-broken` with the seed that shows it · `project/fold-failed`, `project/invalid-row` or
 * `project/invalid-key` where a fold fails on an event · `project/present-failed` where a row cannot be made after one, its own
 * or one that changed a row to which it refers.
 */
export async function foldLaws(projection: AnyProjection, options: FoldLawsOptions): Promise<void> {
  mustFold(projection, 'tried for laws of folding')
  const { runs = 100, seed = 1 } = options
  const events = await recordedFrom(projection, options.events)
  const referred = await referredIn(projection, events, anchorOf(events.at(-1), origin))
  const atOnce: Way = { shards: 1, referred, batchEvents: () => events.length, crashes: () => false }
  const expected = await fold(projection, events, atOnce)
  for (let run = 0; run < runs; run++) {
    const random = seeded(seed + run)
    const upTo = (most: number): number => 1 + Math.floor(random() * most)
    // Few, in which keys meet, and as it has; now and then as many as there may be.
    const shards = run === 0 ? projection.shards : upTo(random() < 0.1 ? 64 : 4)
    const largest = upTo(events.length)
    const crashRate = random() * 0.5
    const way = { shards, referred, batchEvents: () => upTo(largest), crashes: () => random() < crashRate }
    const found = await fold(projection, events, way)
    const wrong = firstDifference(expected, found)
    if (wrong !== undefined) {
      throw new BifoldError('testing/fold-law-broken', { projection: projection.name, seed: seed + run, ...wrong })
    }
  }
}

interface Way {
  readonly referred: readonly ReferredView[]
  readonly shards: number
  readonly batchEvents: () => number
  readonly crashes: () => boolean
}

async function fold(projection: AnyProjection, events: readonly RecordedEvent[], way: Way): Promise<Made> {
  const made: Made = { rows: new Map(), sums: new Map() }
  for (let shard = 0; shard < way.shards; shard++) {
    await foldShard({ ...projection, shards: way.shards }, shard, events, way, made)
  }
  return made
}

/** More than any rows of samples take: what is to be forgotten is forgotten by a crash. */
const cacheBytes = 2 ** 30

async function foldShard(
  projection: AnyProjection,
  shard: number,
  events: readonly RecordedEvent[],
  { batchEvents, crashes, referred }: Way,
  { rows, sums }: Made,
): Promise<void> {
  const cache = makeRowCache(cacheBytes)
  const load = async (keys: readonly RowKey[]): Promise<ReadonlyMap<string, LoadedRow>> =>
    new Map(keys.map(rowId).flatMap(id => (rows.has(id) ? [[id, rows.get(id) as LoadedRow]] : [])))
  const folding = makeFolding(viewShapeOf(projection), shard)
  const turns = makeTurns({ runtime: systemRuntime, turnEvents: 500 })
  const start = () => {
    const join = joinOf(projection, shard, referred, rows, events)
    const own = { folding, view: { load }, cache, aside: makeAside(projection.name), turns }
    return { own, join, context: { ...own, ...(join !== undefined && { join }) } }
  }
  const write = ({ upserts, rollups, setAside }: Pick<Batch, 'upserts' | 'rollups' | 'setAside'>): void => {
    const failed = setAside?.failures[0]
    if (failed !== undefined) throw failed.error
    for (const { row: _, ...written } of upserts) rows.set(rowId(written), written)
    for (const sum of rollups) add(sums, sum)
  }
  let process = start()
  let cursor: Anchor = origin
  /** A part of the next move that is made already. */
  let begun: JoinCursor | undefined
  while (cursor.position < events.length) {
    const { own, join, context } = process
    const part = events.slice(cursor.position, begun?.to.position ?? cursor.position + batchEvents())
    const through = anchorOf(part.at(-1), cursor)
    const page = { events: part, through, atHead: false }
    await join?.cut(page, cursor, true)
    const batch = await prepareBatch(page, cursor, context)
    const failure = batch.setAside?.failures[0] ?? batch.failure
    if (failure !== undefined) throw failure.error
    let isCrashed = crashes()
    if (!isCrashed) {
      const stopped = new AbortController()
      const dependents =
        join &&
        (await presentDependents(batch, begun?.last, {
          ...{ ...own, runtime: systemRuntime, join, from: cursor, limits: joinLimits, stopping: stopped.signal },
          write: (made, at) => {
            write(made)
            begun = at
            if (crashes()) stopped.abort()
          },
        }))
      isCrashed = stopped.signal.aborted
      if (!isCrashed) {
        for (const key of batch.deletes) rows.delete(rowId(key))
        write(batch)
        if (dependents !== undefined) write(dependents)
        begun = undefined
        cursor = through
        isCrashed = crashes()
      }
    }
    if (isCrashed) {
      cache.clear(false)
      process = start()
    }
  }
}

/** Rows that refer to one that changed are made anew in parts of a few, each of which may be the last. */
const joinLimits = { ...{ presentRows: 3, minBatchEvents: 2, maxBatchEvents: 100 }, batchBytes: 2 ** 20 }

function anchorOf(last: RecordedEvent | undefined, from: Anchor): Anchor {
  return last === undefined ? from : { position: last.position, fingerprint: fingerprintOf(last.id) }
}

function add(sums: Sums, change: RollupSum): void {
  const id = [change.rollup, change.tenant, change.group, change.sum].join('\u0000')
  const before = sums.get(id)
  const [rows, value] = [(before?.rows ?? 0) + change.rows, (before?.value ?? 0n) + change.value]
  if (rows === 0 && value === 0n) sums.delete(id)
  else sums.set(id, { ...change, rows, value })
}

function firstDifference(expected: Made, found: Made) {
  return firstRow(expected.rows, found.rows) ?? firstSum(expected.sums, found.sums)
}

function firstSum(expected: Sums, found: Sums) {
  const say = (sum: RollupSum | undefined): string | null =>
    sum === undefined ? null : `${sum.sum === rowCount ? 'rows' : sum.sum}: ${sum.value} of ${sum.rows} rows`
  for (const id of new Set([...expected.keys(), ...found.keys()])) {
    const [one, other] = [expected.get(id), found.get(id)]
    if (one?.rows === other?.rows && one?.value === other?.value) continue
    const { tenant, group, rollup } = (one ?? other) as RollupSum
    return { tenant, key: group, rollup, atOnce: say(one), inParts: say(other) }
  }
  return undefined
}

function firstRow(expected: Rows, found: Rows) {
  for (const id of new Set([...expected.keys(), ...found.keys()])) {
    const [one, other] = [expected.get(id), found.get(id)]
    if (one?.doc === other?.doc && one?.state === other?.state && one?.position === other?.position) continue
    const { tenant, key } = (one ?? other) as RowKey
    return { tenant, key, atOnce: one?.doc ?? null, inParts: other?.doc ?? null }
  }
  return undefined
}
