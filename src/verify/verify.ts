import type { AnyProjection } from '../define/index.ts'
import { type Anchor, type Runtime, systemRuntime } from '../log/index.ts'
import { findView, mustFold, type RowKey, viewShapeOf } from '../project/index.ts'
import { makeBesides } from './beside-rows.ts'
import { type Difference, differencesOf, makeRowsHash } from './compare.ts'
import { type SumDifference, sumDifferencesOf } from './compare-sums.ts'
import { type Digests, readDigests } from './digests.ts'
import { compareKeys, foldInPasses } from './fold-in-passes.ts'
import { isAsMade } from './is-as-made.ts'
import { leftOf } from './left-of.ts'
import { allBuckets } from './pass.ts'
import { makeScale } from './scale.ts'
import { type SidesContext, sideBySide } from './side-by-side.ts'
import { makeRowSums, makeSumDigests } from './sum-digests.ts'
import { keepFirst, makeTurns } from './turns.ts'
import type { Verifiable } from './verifiable.ts'

export interface VerifyOptions {
  /** Which generation. Default: the one that serves, if it is of this definition, else the newest of this definition. */
  readonly generation?: number
  /** Differing rows, and differing sums, that are given; all are counted. Default 100. */
  readonly maxDifferences?: number
  /**
   * Memory for the rows that the log makes. Where they are more, the log is folded several times, each time into a part of
   * them. Default 1 GiB.
   */
  readonly maxBytes?: number
  /** Events that are read and folded at once. Default 5000. */
  readonly batchEvents?: number
  readonly runtime?: Pick<Runtime, 'turn' | 'elapsed'>
}

/** What became of looking at a view. */
export type Verification = Verified & ({ readonly equal: true } | Different)

interface Verified {
  readonly projection: string
  readonly generation: number
  /** How many rows are stored. */
  readonly rows: number
  /** Of the stored rows: SHA-256, in hex. The same rows have the same hash in every store. */
  readonly hash: string
  /**
   * How many keys stand still. Their rows are right as they were before the event at which each stands, and made with rows of
   * other views as of when they were made last. Of one that could not follow a row that was parked itself, the state is
   * compared alone.
   */
  readonly parkedKeys: number
  /** How many events are left out of rows by decision. */
  readonly skippedEvents: number
  /** Where each shard stood, in the order of their numbers: the view was compared with the log up to there. */
  readonly asOf: readonly (Anchor & { readonly shard: number })[]
  /** How often the log was folded: once, where the rows of an equal view fit into `maxBytes`. */
  readonly passes: number
  /** The most that was held of rows at a time, as `maxBytes` counts them. */
  readonly peakBytes: number
}

/**
 * Told by looking again, row by row, at those parts of the view that are not equal: as of a snapshot that is later than
 * `asOf`, or several where they are large. What was put right in between is not in here.
 */
interface Different {
  readonly equal: false
  /** How many rows differ. */
  readonly different: number
  /** The first of them, in the order of tenants and keys. */
  readonly differences: readonly Difference[]
  /** How many sums of its rollups differ from what the rows that the log makes add up to, in any of its shards. */
  readonly differentSums: number
  /** The first of them, in the order of rollups, tenants, groups, names and shards. */
  readonly sumDifferences: readonly SumDifference[]
}

/**
 * Is the view of `projection` what the log makes? Takes one snapshot of its rows and checkpoints, folds the log aside to
 * exactly these positions by the definition as it is now, and compares, to the byte;
 * and the sums of its rollups with what these rows add up to.
 *
 * Of the snapshot, hashes are kept: one for each of 4096 parts of the keys. Where all of them are those of the rows that the
 * log makes, the view is equal. Where some are not, their rows are read again and compared one by one.
 *
 * Where rows may be ahead of their checkpoint there is no such snapshot: a row that differs is folded by itself, as of where it
 * is, and counts only where it differs then. Of a view that moves while it is read these are all rows that it has touched.
 *
 * Commands go on meanwhile, and so does the projection; an embedded database, which has one connection, does nothing else
 * while its rows are read, and none of what comes after.
 *
 * @param on a running system, or a log and a store of views.
 * @param projection which view. No generation of it is made.
 * @throws `project/no-generation` where there is none of its version, columns and shards · `verify/too-large` where one of
 * the 4096 parts alone is more than `maxBytes` · `log/rewound` where the view was made from another history ·
 * `project/fold-failed`, `project/invalid-row` or `project/invalid-key` where the definition as it is now fails on an event
 * that is in the view.
 */
export async function verify(
  on: Verifiable,
  projection: AnyProjection,
  options: VerifyOptions = {},
): Promise<Verification> {
  const { maxDifferences = 100, maxBytes = 2 ** 30, batchEvents = 5000, runtime = systemRuntime } = options
  mustFold(projection, 'verified')
  const shape = viewShapeOf(projection)
  const view = await findView(on.views, shape, options.generation)
  const scale = makeScale(projection.name, maxBytes)
  const effort = { passes: 0, readMs: 0, foldMs: 0 }
  const context: SidesContext = {
    ...{ log: on.log, shape, view, scale, batchEvents, runtime, effort },
    foldedTo: async snapshot => ({ ...snapshot, referred: await leftOf(on, projection, view.refersTo) }),
  }
  const isRight = (row: RowKey): Promise<boolean> =>
    view.mayBeAhead === true ? isAsMade(on, projection, view, row) : Promise.resolve(false)
  const { digests, different } = await compareUntilSure({ ...context, isRight }, maxDifferences)
  const { rows, hash, parked, skips, checkpoints } = digests
  return {
    projection: projection.name,
    generation: view.generation,
    ...{ rows, hash, parkedKeys: parked.length, skippedEvents: skips.length },
    asOf: checkpoints.map(({ shard, position, fingerprint }) => ({ shard, position, fingerprint })),
    passes: effort.passes,
    peakBytes: scale.peakBytes(),
    ...different,
  }
}

interface LookContext extends SidesContext {
  /** May a row that differs be right all the same, and is it? */
  readonly isRight: (row: RowKey) => Promise<boolean>
}

/** How often all is compared where what differed was right when it was looked at again. */
const maxLooks = 3

/**
 * Compares until the view is equal, or rows are found that are not as they should be. What differs and does not when it is
 * looked at again was about to be made anew: a row that it is made with stood still and went on, or the view was reset.
 */
async function compareUntilSure(
  context: LookContext,
  maxDifferences: number,
): Promise<{ readonly digests: Digests; readonly different: { readonly equal: true } | Different }> {
  for (let look = 1; ; look++) {
    const { digests, buckets, sumBuckets } = await compareDigests(context)
    if (buckets.length === 0 && sumBuckets.length === 0) return { digests, different: { equal: true } }
    const different = await lookAgain(context, buckets, sumBuckets, maxDifferences)
    const isSure = different.different > 0 || different.differentSums > 0
    if (!isSure && context.view.mayBeAhead === true) return { digests, different: { equal: true } }
    if (isSure || look === maxLooks) return { digests, different }
  }
}

interface Compared {
  readonly digests: Digests
  /** Those whose rows, or whose sums, have to be looked at. */
  readonly buckets: readonly number[]
  readonly sumBuckets: readonly number[]
}

async function compareDigests(context: SidesContext): Promise<Compared> {
  const { shape, scale, runtime } = context
  const sums = makeSumDigests()
  const digests = await readDigests(context, sums.stored)
  const sumsOf = makeRowSums(shape.projection)
  const turns = makeTurns(runtime)
  const buckets: number[] = []
  for await (const { bucket, rows } of foldInPasses(context, await context.foldedTo(digests), allBuckets, scale)) {
    const hash = makeRowsHash()
    for (const row of rows) {
      const turn = turns()
      if (turn !== undefined) await turn
      const stored = digests.seen.asStored(bucket, row)
      hash.add(stored)
      for (const sum of sumsOf(stored)) sums.folded(sum)
    }
    const expected = digests.buckets.get(bucket)
    const isEqual = rows.length === 0 ? expected === undefined : expected?.hash === hash.digest()
    if (!isEqual || expected?.columnsDiffer === true) buckets.push(bucket)
  }
  digests.seen.end()
  return { digests, buckets, sumBuckets: sums.differing() }
}

async function lookAgain(
  context: LookContext,
  buckets: readonly number[],
  sumBuckets: readonly number[],
  most: number,
): Promise<Different> {
  const turns = makeTurns(context.runtime)
  const withBesides = makeBesides(context.shape)
  const first = keepFirst<Difference>(most, compareKeys)
  let different = 0
  for await (const { stored, folded } of sideBySide(context, buckets)) {
    for (const difference of await differencesOf({ stored: stored.map(withBesides), folded }, turns)) {
      const hasOwnColumns = (difference.stored?.differing.length ?? 0) === 0
      if (hasOwnColumns && (await context.isRight(difference))) continue
      different++
      first.add(difference)
    }
  }
  const sums = await sumDifferencesOf(context, sumBuckets, most)
  return {
    equal: false,
    different,
    differences: first.all(),
    differentSums: sums.count,
    sumDifferences: sums.first,
  }
}
