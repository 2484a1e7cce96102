import type { Snapshot, StoredSum } from '../project/index.ts'
import { foldInPasses } from './fold-in-passes.ts'
import { type HeldSums, makeHeldSums } from './held-sums.ts'
import { allBuckets, passesOver } from './pass.ts'
import type { Seen } from './seen.ts'
import type { SidesContext } from './side-by-side.ts'
import { makeRowSums, type SumId } from './sum-digests.ts'
import { makeTurns } from './turns.ts'

/** What is kept of a snapshot whose sums were read. */
export interface SumsRead extends Pick<Snapshot, 'checkpoints' | 'parked' | 'skips'> {
  /** Which documents its rows had, where one may have several. Absent: none may. */
  readonly seen?: Seen
}

/**
 * Both sides of the sums of buckets, as they are stored and as the rows that the log makes add up: as many at a time as half of
 * the bound allows, each time of a snapshot of its own, up to which all rows are folded.
 *
 * @param read reads a snapshot, and hands on its sums.
 * @param bucketFor the bucket with which a sum is held, and leaves.
 */
export async function* sumsSideBySide(
  context: SidesContext,
  buckets: readonly number[],
  read: (onSum: (sum: StoredSum) => void) => Promise<SumsRead>,
  bucketFor: (sum: SumId) => number,
): AsyncGenerator<HeldSums> {
  const { shape, scale, runtime } = context
  const sumsOf = makeRowSums(shape.projection)
  const turns = makeTurns(runtime)
  for (const pass of passesOver(buckets, scale.half())) {
    const sums = makeHeldSums(pass, bucketFor)
    const { seen, ...snapshot } = await read(sums.stored)
    const to = await context.foldedTo(snapshot)
    for await (const { bucket, rows } of foldInPasses(context, to, allBuckets, scale.half())) {
      for (const row of rows) {
        const turn = turns()
        if (turn !== undefined) await turn
        for (const sum of sumsOf(seen?.asStored(bucket, row) ?? row)) sums.folded(sum)
      }
    }
    yield sums
    seen?.end()
  }
}
