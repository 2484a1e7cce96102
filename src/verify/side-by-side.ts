import type { ShardCheckpoint, Snapshot, StoredRow, View } from '../project/index.ts'
import { type FoldAsideContext, type FoldedTo, foldAside } from './fold-aside.ts'
import { type FoldedRow, rowBytes } from './held-rows.ts'
import { bucketOf, type Pass, passesOver } from './pass.ts'
import type { Scale } from './scale.ts'
import { makeTurns } from './turns.ts'

/** The rows of a bucket, as they are stored and as the log makes them up to there. */
export interface Sides {
  readonly stored: readonly StoredRow[]
  readonly folded: ReadonlyMap<string, FoldedRow>
  readonly checkpoints: readonly ShardCheckpoint[]
}

export interface SidesContext extends FoldAsideContext {
  readonly view: Pick<View, 'snapshot' | 'mayBeAhead'>
  readonly scale: Scale
  /** To where the log is folded for a snapshot. */
  readonly foldedTo: (snapshot: Pick<Snapshot, 'checkpoints' | 'parked' | 'skips'>) => Promise<FoldedTo>
}

/** Both sides of buckets, row by row: as many at a time as the bound allows, each time of a snapshot of its own. */
export async function* sideBySide(context: SidesContext, buckets: readonly number[]): AsyncGenerator<Sides> {
  for (const pass of passesOver(buckets, context.scale)) {
    const { stored, ...snapshot } = await readStored(context, pass)
    const folded = await foldAside(context, await context.foldedTo(snapshot), pass)
    const { checkpoints } = snapshot
    for (const bucket of pass.buckets) {
      yield { stored: stored.get(bucket) ?? [], folded: folded.in(bucket), checkpoints }
    }
  }
}

interface Stored extends Pick<Snapshot, 'checkpoints' | 'parked' | 'skips'> {
  readonly stored: ReadonlyMap<number, readonly StoredRow[]>
}

async function readStored({ view, runtime }: SidesContext, pass: Pass): Promise<Stored> {
  const turns = makeTurns(runtime)
  const stored = new Map<number, StoredRow[]>()
  pass.onLeave(bucket => {
    stored.delete(bucket)
  })
  const snapshot = await view.snapshot(async ({ checkpoints, parked, skips, pages }) => {
    for await (const page of pages) {
      for (const row of page) {
        const turn = turns()
        if (turn !== undefined) await turn
        const bucket = bucketOf(row)
        if (!pass.weigh(bucket, rowBytes(row))) continue
        const own = stored.get(bucket) ?? []
        own.push(row)
        stored.set(bucket, own)
      }
    }
    return { checkpoints, parked, skips }
  })
  return { ...snapshot, stored }
}
