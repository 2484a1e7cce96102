import { compareSums, type RollupSum, type StoredSum } from '../project/index.ts'
import { readDigests } from './digests.ts'
import { foldInPasses } from './fold-in-passes.ts'
import { allBuckets, type Pass, passesOver } from './pass.ts'
import type { SidesContext } from './side-by-side.ts'
import { makeRowSums, type SumId, sumBucketOf, sumId } from './sum-digests.ts'
import { keepFirst, makeTurns } from './turns.ts'

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

/**
 * Which sums of these buckets are not what the rows that the log makes add up to: as many at a time as half of the bound
 * allows, each time of a snapshot of its own, up to which all rows are folded.
 */
export async function sumDifferencesOf(
  context: SidesContext,
  buckets: readonly number[],
  most: number,
): Promise<{ readonly count: number; readonly first: readonly SumDifference[] }> {
  const { shape, scale, runtime } = context
  const sumsOf = makeRowSums(shape.projection)
  const turns = makeTurns(runtime)
  const first = keepFirst<SumDifference>(most, (a, b) => compareSums(a, b) || a.shard - b.shard)
  let count = 0
  for (const pass of passesOver(buckets, scale.half())) {
    const sums = makeHeldSums(pass)
    const digests = await readDigests(context, sums.stored)
    const to = await context.foldedTo(digests)
    for await (const { bucket, rows } of foldInPasses(context, to, allBuckets, scale.half())) {
      for (const row of rows) {
        const turn = turns()
        if (turn !== undefined) await turn
        for (const sum of sumsOf(digests.seen.asStored(bucket, row))) sums.folded(sum)
      }
    }
    for (const difference of sums.differing()) {
      count++
      first.add(difference)
    }
    digests.seen.end()
  }
  return { count, first: first.all() }
}

interface HeldSum {
  readonly id: SumId
  stored?: Added
  folded?: Added
}

type Added = Pick<RollupSum, 'rows' | 'value'>

interface HeldSums {
  stored(sum: StoredSum): void
  folded(sum: StoredSum): void
  differing(): Generator<SumDifference>
}

function makeHeldSums(pass: Pass): HeldSums {
  const held = new Map<number, Map<string, HeldSum>>()
  pass.onLeave(bucket => {
    held.delete(bucket)
  })
  function find(sum: StoredSum): HeldSum | undefined {
    const bucket = sumBucketOf(sum)
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
    differing: function* () {
      for (const bucket of pass.buckets) {
        for (const { id, stored, folded } of held.get(bucket)?.values() ?? []) {
          if (stored?.rows === folded?.rows && stored?.value === folded?.value) continue
          yield { ...id, ...(stored && { stored: sideOf(stored) }), ...(folded && { folded: sideOf(folded) }) }
        }
      }
    },
  }
}

/** About what a sum takes in memory. */
function sumBytes({ rollup, tenant, group, sum }: SumId): number {
  return 500 + 2 * (rollup.length + tenant.length + group.length + sum.length)
}

function sideOf({ rows, value }: Added): SumSide {
  return { rows, value: String(value) }
}
