import type { Position } from '../define/index.ts'
import type { SetAside } from './aside.ts'
import { isFolded, type Slot } from './fold.ts'
import type { Joined, JoinedRows } from './join.ts'
import { passStages, type Staged, type StagesContext } from './pass-stages.ts'
import { type Folded, type StandContext, standBeforeAll, standWhereStagesFail } from './stage-failures.ts'
import { type RowKey, rowId, type View } from './store.ts'

export interface StageAllContext extends Omit<StandContext, 'before'> {
  readonly view: Partial<Pick<View, 'mayBeAhead'>>
  readonly cache: { batch(): readonly Slot[] }
  readonly anew?: RowKey
  /** The slots as they were before the batch; absent where there are no stages. */
  readonly before: ReadonlyMap<Slot, Folded> | undefined
  readonly from: Position
}

export interface StagedAll {
  readonly changed: readonly Slot[]
  /** Of `changed`, none of which fails. */
  readonly staged: Staged
  /** The ids of rows that cannot even be made as they were before the event at which their key stands: they stay. */
  readonly left: ReadonlySet<string>
}

/**
 * Takes what a batch folded through the stages after folding. A key whose row cannot be made stands still where that begins,
 * and its row is as of the position before, in all that it is made of: what it refers to included.
 */
export async function stageAll(context: StageAllContext): Promise<StagedAll> {
  const { folding, view, aside, routed, turns, join, cache, anew, from, to } = context
  const left = new Set<Slot>()
  /** Of keys that fail in this batch, where they do. */
  let failedAt: ReadonlyMap<string, Position> = new Map()
  const endOf = (slot: Slot): Position => (failedAt.get(rowId(slot)) ?? to + 1) - 1
  const isAnew = (slot: Slot): boolean => anew !== undefined && rowId(anew) === rowId(slot)
  const isOfRefs = (slot: Slot): boolean => slot.state != null && (failedAt.has(rowId(slot)) || isAnew(slot))
  const changed = (): readonly Slot[] => {
    failedAt = new Map(aside.failures().map(failure => [rowId(failure), failure.position]))
    const isChanged = (slot: Slot): boolean =>
      isFolded(slot, from) ||
      (join !== undefined && isOfRefs(slot)) ||
      (view.mayBeAhead === true && (failedAt.has(rowId(slot)) || isAnew(slot)))
    return cache.batch().filter(slot => !left.has(slot) && isChanged(slot))
  }
  const stages: StagesContext = {
    ...{ folding, turns },
    ...(join !== undefined && { joinFor: (slots, lastOf) => rowsForEach(slots, endOf, lastOf, join) }),
  }

  const stood = new Set<Slot>()
  const standing = new Set<Slot>()
  let slots = changed()
  let staged = await passStages(slots, routed, stages)
  while (staged.failed.length > 0) {
    for (const failed of staged.failed) {
      const { slot } = failed
      const own = { ...context, before: context.before?.get(slot) }
      if (standing.has(slot)) left.add(slot)
      else if (stood.has(slot)) {
        standing.add(slot)
        await standBeforeAll(failed, own)
      } else {
        stood.add(slot)
        await standWhereStagesFail(failed, own)
      }
    }
    slots = changed()
    staged = await passStages(slots, routed, stages)
  }
  return { changed: slots, staged, left: new Set(Array.from(left, rowId)) }
}

/** Rows of several positions: most are as of the end of the batch. */
async function rowsForEach(
  slots: readonly Slot[],
  endOf: (slot: Slot) => Position,
  lastOf: Parameters<JoinedRows['rowsFor']>[2],
  join: JoinedRows,
): Promise<ReadonlyMap<Slot, Joined>> {
  const joined = new Map<Slot, Joined>()
  for (const [end, own] of [...Map.groupBy(slots, endOf)].sort(([a], [b]) => a - b)) {
    for (const [slot, one] of await join.rowsFor(own, end, lastOf)) joined.set(slot, one)
  }
  return joined
}

/** Says of each key that failed of which position the rows are that its own is made with. */
export function withRefsAt(
  setAside: SetAside | undefined,
  join: Pick<JoinedRows, 'madeAt'> | undefined,
  left: ReadonlySet<string>,
): SetAside | undefined {
  if (setAside === undefined || join === undefined) return setAside
  const failures = setAside.failures.map(failure =>
    left.has(rowId(failure)) ? failure : { ...failure, refsAt: join.madeAt(failure.position - 1) },
  )
  return { ...setAside, failures }
}
