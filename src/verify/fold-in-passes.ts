import { compareText, type RowKey } from '../project/index.ts'
import { type FoldAsideContext, type FoldedTo, foldAside } from './fold-aside.ts'
import type { FoldedRow } from './held-rows.ts'
import { passesOver } from './pass.ts'
import type { Scale } from './scale.ts'

export interface FoldedBucket {
  readonly bucket: number
  /** In the stores' order. */
  readonly rows: readonly FoldedRow[]
}

/** The rows of buckets as the log makes them, in as many passes as the bound asks for. */
export async function* foldInPasses(
  context: FoldAsideContext,
  to: FoldedTo,
  buckets: readonly number[],
  scale: Scale,
): AsyncGenerator<FoldedBucket> {
  for (const pass of passesOver(buckets, scale)) {
    const rows = await foldAside(context, to, pass)
    for (const bucket of pass.buckets) yield { bucket, rows: [...rows.in(bucket).values()].sort(compareKeys) }
  }
}

export function compareKeys(a: RowKey, b: RowKey): number {
  return compareText(a.tenant, b.tenant) || compareText(a.key, b.key)
}
