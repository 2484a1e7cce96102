import { isDeepStrictEqual } from 'node:util'
import { compareText, rowCount, type StoredSum } from '../project/index.ts'
import type { HeldSum } from './held-sums.ts'
import { allBuckets, bucketOf } from './pass.ts'
import type { SidesContext } from './side-by-side.ts'
import type { SumId } from './sum-digests.ts'
import { type SumsRead, sumsSideBySide } from './sums-side-by-side.ts'
import { keepFirst, makeTurns } from './turns.ts'

/** How many there are, would be, and would change in which way. */
export interface PlannedCounts {
  readonly before: number
  readonly after: number
  readonly same: number
  readonly changed: number
  readonly added: number
  readonly removed: number
}

/** How the rollups of a view would change. */
export interface PlannedRollups {
  /** By their names. Groups are compared of none of these. */
  readonly added: readonly string[]
  readonly removed: readonly string[]
  /** Those whose sums would have other names; or whose `sum`, which does not say their names outright, is another one. */
  readonly changed: readonly string[]
  /** Groups of all others, in all tenants. One is the same where its sums are, however many rows add up to them. */
  readonly groups: PlannedCounts
  /** The first groups that would change, in the order of rollups, tenants and groups. */
  readonly samples: readonly PlannedGroup[]
}

/** A group of a rollup that would change. */
export interface PlannedGroup {
  readonly rollup: string
  readonly tenant: string
  readonly group: string
  readonly kind: 'changed' | 'added' | 'removed'
  /** Its sums as they are. `null`: no row is in it. */
  readonly before: GroupSums | null
  /** As they would be. */
  readonly after: GroupSums | null
}

/** The sums of a group over all shards, by their names: integers of any size, as text. */
export type GroupSums = Readonly<Record<string, string>>

/**
 * Compares what the groups of rollups sum up to with what they would: those of rollups that both have, with the same sums.
 *
 * @param had the rollups of the generation that is compared, by name, with the shapes of their sums.
 * @param onSum is told each sum that would be stored, of whatever rollup.
 */
export async function compareGroups(
  context: SidesContext,
  had: Readonly<Record<string, string>>,
  most: number,
  onSum: (sum: SumId) => void,
): Promise<PlannedRollups> {
  const has = context.shape.sums ?? {}
  const compared = new Set(Object.keys(has).filter(rollup => had[rollup] === has[rollup]))
  const counts = { before: 0, after: 0, same: 0, changed: 0, added: 0, removed: 0 }
  const first = keepFirst<PlannedGroup>(most, compareNames)
  const turns = makeTurns(context.runtime)
  const read = (onStored: (sum: StoredSum) => void) => readSums(context, compared, onStored)
  // What is not compared is gone through for its sums, which take space.
  const buckets = Object.keys(has).length === 0 ? [] : allBuckets
  for await (const sums of sumsSideBySide(context, buckets, read, groupBucketOf)) {
    for (const held of sums.inBuckets()) {
      for (const own of Map.groupBy(held, groupId).values()) {
        const turn = turns()
        if (turn !== undefined) await turn
        for (const { id, folded } of own) if (folded !== undefined) onSum(id)
        const { rollup, tenant, group } = (own[0] as HeldSum).id
        if (!compared.has(rollup)) continue
        const [before, after] = [addedUp(own, 'stored'), addedUp(own, 'folded')]
        if (before !== null) counts.before++
        if (after !== null) counts.after++
        if (isDeepStrictEqual(before, after)) {
          counts.same++
          continue
        }
        const kind = before === null ? 'added' : after === null ? 'removed' : 'changed'
        counts[kind]++
        first.add({ rollup, tenant, group, kind, before, after })
      }
    }
  }
  return { ...nameChanges(had, has, compared), groups: counts, samples: first.all() }
}

/** Of a generation without rollups there are no sums to be asked for. */
function readSums(
  { view, runtime }: SidesContext,
  compared: ReadonlySet<string>,
  onSum: (sum: StoredSum) => void,
): Promise<SumsRead> {
  const turns = makeTurns(runtime)
  return view.snapshot(async ({ checkpoints, parked, skips, sums }) => {
    if (compared.size === 0) return { checkpoints, parked, skips }
    for await (const page of sums) {
      for (const sum of page) {
        const turn = turns()
        if (turn !== undefined) await turn
        if (compared.has(sum.rollup)) onSum(sum)
      }
    }
    return { checkpoints, parked, skips }
  })
}

/** All sums of a group are held together, whatever their shards: the other definition may have more of these, or less. */
function groupBucketOf({ rollup, tenant, group }: SumId): number {
  return bucketOf({ tenant, key: `${rollup}\u0000${group}` })
}

function groupId({ id: { rollup, tenant, group } }: HeldSum): string {
  return [rollup, tenant, group].join('\u0000')
}

/** `null`: no row adds to it. */
function addedUp(sums: readonly HeldSum[], side: 'stored' | 'folded'): GroupSums | null {
  const totals = new Map<string, bigint>()
  for (const { id, [side]: added } of sums) {
    if (added !== undefined) totals.set(id.sum, (totals.get(id.sum) ?? 0n) + added.value)
  }
  if (!totals.delete(rowCount)) return null
  const named = [...totals].sort(([a], [b]) => compareText(a, b))
  return Object.fromEntries(named.map(([name, value]) => [name, String(value)]))
}

type GroupName = Pick<PlannedGroup, 'rollup' | 'tenant' | 'group'>

function compareNames(a: GroupName, b: GroupName): number {
  return compareText(a.rollup, b.rollup) || compareText(a.tenant, b.tenant) || compareText(a.group, b.group)
}

function nameChanges(
  had: Readonly<Record<string, string>>,
  has: Readonly<Record<string, string>>,
  compared: ReadonlySet<string>,
): Pick<PlannedRollups, 'added' | 'removed' | 'changed'> {
  const names = Object.keys(has)
  return {
    added: names.filter(name => !Object.hasOwn(had, name)),
    removed: Object.keys(had).filter(name => !Object.hasOwn(has, name)),
    changed: names.filter(name => Object.hasOwn(had, name) && !compared.has(name)),
  }
}
