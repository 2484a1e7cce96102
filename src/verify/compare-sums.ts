import { compareSums } from '../project/index.ts'
import { readDigests } from './digests.ts'
import type { Added } from './held-sums.ts'
import type { SidesContext } from './side-by-side.ts'
import { sumBucketOf } from './sum-digests.ts'
import { sumsSideBySide } from './sums-side-by-side.ts'
import { keepFirst } from './turns.ts'

/** One sum of a rollup that is not what its rows add up to. */
export interface SumDifference {
  readonly rollup: string
  readonly tenant: string
  readonly group: string
  /** Its name; empty for the count of the group's rows. */
  readonly sum: string
  readonly shard: number
  /** As the store has it, with how many rows add to it. Absent: it has none. */
  readonly stored?: SumSide
  /** As the rows that the log makes add up. Absent: none of them does. */
  readonly folded?: SumSide
}

export interface SumSide {
  readonly rows: number
  /** An integer of any size, as text. */
  readonly value: string
}

/** Which sums of these buckets are not what the rows that the log makes add up to. */
export async function sumDifferencesOf(
  context: SidesContext,
  buckets: readonly number[],
  most: number,
): Promise<{ readonly count: number; readonly first: readonly SumDifference[] }> {
  const first = keepFirst<SumDifference>(most, (a, b) => compareSums(a, b) || a.shard - b.shard)
  let count = 0
  for await (const sums of sumsSideBySide(context, buckets, onSum => readDigests(context, onSum), sumBucketOf)) {
    for (const held of sums.inBuckets()) {
      for (const { id, stored, folded } of held) {
        if (stored?.rows === folded?.rows && stored?.value === folded?.value) continue
        count++
        first.add({ ...id, ...(stored && { stored: sideOf(stored) }), ...(folded && { folded: sideOf(folded) }) })
      }
    }
  }
  return { count, first: first.all() }
}

function sideOf({ rows, value }: Added): SumSide {
  return { rows, value: String(value) }
}
