import type { Position, RecordedEvent } from '../define/index.ts'
import type { Anchor, Runtime } from '../log/index.ts'
import type { Aside, SetAside } from './aside.ts'
import { type BatchLimits, nextBatchEvents } from './batch-size.ts'
import { encodeRow } from './encode-row.ts'
import { type Folding, isAhead, type Slot } from './fold.ts'
import type { Join } from './join.ts'
import type { JoinCursor } from './join-cursor.ts'
import type { ProjectorLimits } from './limits.ts'
import { mergeSums } from './merge-sums.ts'
import { passStages, type Staged, type StagesContext } from './pass-stages.ts'
import { asStored, type Batch, loadRows, upsertOf } from './prepare-batch.ts'
import type { RollupSum } from './rollup-store.ts'
import type { RowCache } from './row-cache.ts'
import { withRefsAt } from './stage-all.ts'
import { type RowKey, rowId, type Upsert, type View } from './store.ts'
import type { Turns } from './turns.ts'
import type { WalkPoint } from './walk-dependents.ts'

/** Rows that were made anew. */
export interface Presented {
  readonly upserts: readonly Upsert[]
  readonly rollups: readonly RollupSum[]
  /** Keys whose row could not be made. Absent: none. */
  readonly setAside?: SetAside
}

export interface DependentsContext {
  readonly join: Join
  readonly folding: Folding
  readonly view: Pick<View, 'load'> & Partial<Pick<View, 'mayBeAhead'>>
  readonly cache: RowCache
  /** Knows which keys stand still, whose rows stay what they are, and is told which others fail. */
  readonly aside: Aside
  /** Everything up to here is in the rows, but for what changed late. */
  readonly from: Anchor
  readonly runtime: Pick<Runtime, 'turn'>
  readonly turns: Turns
  readonly limits: BatchLimits & Pick<ProjectorLimits, 'presentRows'>
  readonly stopping: AbortSignal
  /** Writes rows without moving the checkpoint, and how far that has come into it. */
  readonly write: (presented: Presented, cursor: JoinCursor) => Promise<void> | void
}

/**
 * Makes those rows anew that refer to rows that changed up to the end of a batch, but for those that the batch touched itself.
 * They are written a bounded number at a time, with the keys that stand still since their row cannot be made; what is left
 * when there are no more is handed back, to be written with the batch. `undefined`: it was told to stop before that.
 */
export async function presentDependents(
  { to, upserts, deletes }: Pick<Batch, 'to' | 'upserts' | 'deletes'>,
  after: WalkPoint | undefined,
  context: DependentsContext,
): Promise<Presented | undefined> {
  const { join, aside, limits, runtime, stopping } = context
  const touched = new Set([...upserts, ...deletes].map(rowId))
  let most = Math.min(limits.presentRows, limits.minBatchEvents)
  let gathered: readonly RowKey[] = []
  let last: WalkPoint | undefined

  for await (const found of join.walk(to.position, () => most, after)) {
    if (last !== undefined && gathered.length + found.dependents.length > most) {
      const presented = await present(gathered, to, context)
      await context.write(presented, { to, last })
      const writtenBytes = presented.upserts.reduce((sum, { doc, state = '' }) => sum + doc.length + state.length, 0)
      const written = { events: gathered.length, writtenBytes, atHead: false }
      most = nextBatchEvents(most, written, { ...limits, maxBatchEvents: limits.presentRows })
      gathered = []
      await runtime.turn()
      if (stopping.aborted) return undefined
    }
    const follows = (key: RowKey): boolean => !touched.has(rowId(key)) && aside.standsAt(key) === undefined
    gathered = [...gathered, ...found.dependents.filter(follows)]
    last = found.last
  }
  return present(gathered, to, context)
}

async function present(keys: readonly RowKey[], to: Anchor, context: DependentsContext): Promise<Presented> {
  const { view, cache, join } = context
  if (keys.length === 0) return { upserts: [], rollups: [] }
  cache.begin()
  for (const { tenant, key } of keys) cache.slot(tenant, key)
  await loadRows(view, cache.batch())
  const slots = cache.batch().filter(slot => slot.state != null && !isAhead(slot, to.position))
  const made = await makeRows(slots, to.position, context)
  if (made.failed.length === 0) return made
  await standWhereTheyFail(made.failed, to.position, context)
  const { failures } = context.aside
  let all: Presented = made
  const left = new Set<string>()
  const failedAt = Map.groupBy(failures(), ({ position }) => position)
  for (const [position, own] of [...failedAt].sort(([a], [b]) => a - b)) {
    const ids = new Set(own.map(rowId))
    const before = await makeRows(
      slots.filter(slot => ids.has(rowId(slot))),
      position - 1,
      context,
    )
    const stored = view.mayBeAhead === true ? before.failed.flatMap(({ slot }) => asStored(slot, true) ?? []) : []
    for (const { slot } of before.failed) left.add(rowId(slot))
    const standing = [...before.upserts, ...stored].map(upsert => ({ ...upsert, madeAt: position - 1 }))
    all = { upserts: [...all.upserts, ...standing], rollups: mergeSums(all.rollups, before.rollups) }
  }
  const setAside = withRefsAt(context.aside.take(), join, left)
  return { ...all, ...(setAside !== undefined && { setAside }) }
}

/** Makes rows as of a position. Those that are what they were are not written, but where others may still write older ones. */
async function makeRows(
  slots: readonly Slot[],
  position: Position,
  { join, folding, view, cache, turns }: DependentsContext,
): Promise<Presented & Pick<Staged, 'failed'>> {
  const joinFor: StagesContext['joinFor'] = (some, last) => join.rowsFor(some, position, last)
  const { rows, joined, rollups, failed } = await passStages(slots, [], { folding, turns, joinFor })
  const upserts: Upsert[] = []
  await turns.over('rows', slots, (slot, n) => {
    const row = rows[n]
    if (row == null) return
    const upsert = upsertOf(slot, row, true, joined?.get(slot))
    if (view.mayBeAhead !== true && slot.stored !== null && encodeRow(slot.stored) === upsert.doc) return
    slot.stored = row
    cache.weigh(slot, upsert.doc.length + (upsert.state?.length ?? 0))
    upserts.push(upsert)
  })
  return { upserts, rollups, failed }
}

/** Goes through the changes of what rows refer to that cannot be made anew, and parks each where it fails first. */
async function standWhereTheyFail(
  failed: Staged['failed'],
  to: Position,
  { join, folding, aside, turns, from }: DependentsContext,
): Promise<void> {
  const changes = new Map(failed.map(({ slot }) => [slot, join.changesOf(slot, to)]))
  const fail = (slot: Slot, event: RecordedEvent, error: unknown): void => {
    changes.delete(slot)
    // What counts late is behind events that are in the row: it waits for the next position.
    aside.fail(slot, event, error, Math.max(event.position, from.position + 1))
  }
  for (const at of [...new Set([...changes.values()].flat())].sort((a, b) => a - b)) {
    const event = await join.eventAt(at)
    const slots = [...changes].flatMap(([slot, positions]) => (positions.includes(at) ? [slot] : []))
    const joinFor: StagesContext['joinFor'] = (some, last) => join.rowsFor(some, at, last)
    const staged = await passStages(slots, [], { folding, turns, joinFor }, () => event)
    for (const { slot, error } of staged.failed) fail(slot, event, error)
  }
  // Made at each change, and not at the end: what gives different rows at different times stands at the last one.
  for (const { slot, error } of failed) {
    const positions = changes.get(slot)
    if (positions !== undefined) fail(slot, await join.eventAt(positions.at(-1) ?? to), error)
  }
}
