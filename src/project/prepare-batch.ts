import type { RecordedEvent } from '../define/index.ts'
import { type Anchor, fingerprintOf, type Page } from '../log/index.ts'
import type { Aside, SetAside } from './aside.ts'
import { decodeRow, encodeRow, type Row } from './encode-row.ts'
import { type Folding, isFolded, type Slot } from './fold.ts'
import { foldInTurns } from './fold-in-turns.ts'
import type { Joined, JoinedRows } from './join.ts'
import { keepPast } from './keep-past.ts'
import type { FoldFailure } from './keys-of.ts'
import type { PastRow } from './referred.ts'
import type { RollupSum } from './rollup-store.ts'
import type { RowCache } from './row-cache.ts'
import { stageAll, withRefsAt } from './stage-all.ts'
import { asFolded } from './stage-failures.ts'
import { type DeletedRow, type RowKey, rowId, type Upsert, type View } from './store.ts'
import type { Turns } from './turns.ts'

/** What a page of the log makes of a view, ready to be written. */
export interface Batch {
  /** Everything up to here is in it: the end of the page, or the event before the one that failed. */
  readonly to: Anchor
  readonly upserts: readonly Upsert[]
  readonly deletes: readonly DeletedRow[]
  readonly rollups: readonly RollupSum[]
  /** What rows were before each of the events; empty where the view keeps no past. */
  readonly past: readonly PastRow[]
  readonly writtenBytes: number
  /** Where the page could not be routed to its end: there is no key to park. */
  readonly failure?: FoldFailure
  /** What was kept out of the rows. Absent: nothing. */
  readonly setAside?: SetAside
}

export interface BatchContext {
  readonly folding: Folding
  readonly view: Pick<View, 'load'> & Partial<Pick<View, 'keepsPast' | 'mayBeAhead'>>
  /** What states refer to as of a position; absent where they refer to nothing. */
  readonly join?: JoinedRows
  /** A row that is made anew in any case, whatever touches it. */
  readonly anew?: RowKey
  readonly cache: RowCache
  /** Decides what is kept out of the rows, and is told which keys fail. */
  readonly aside: Aside
  readonly turns: Turns
}

/**
 * Folds a page: finds the rows that it touches, loads in one statement those that this process does not know, folds, makes
 * what the stages after folding make, and encodes what changed. The rows then count as known, although they are not written
 * yet: whoever fails to write them forgets them all.
 */
export async function prepareBatch(page: Page, from: Anchor, context: BatchContext): Promise<Batch> {
  const { folding, view, join, anew, cache, aside, turns } = context
  cache.begin()
  const { routed, failure } = await folding.route(page.events, cache.slot, turns)
  if (anew !== undefined) cache.slot(anew.tenant, anew.key)
  await loadRows(view, cache.batch())
  const to = failure === undefined ? page.through : lastBefore(failure.event, page.events, from)
  const keeper = view.keepsPast === true ? keepPast(folding) : undefined
  const fold = keeper?.fold ?? folding.fold
  const before = folding.stages === undefined ? undefined : new Map(cache.batch().map(slot => [slot, asFolded(slot)]))
  await foldInTurns(routed, { folding: { fold }, aside, turns })
  const staging = { ...{ folding, aside, routed, turns }, ...(join && { join }) }
  const { changed, staged, left } = await stageAll({
    ...context,
    ...staging,
    before,
    from: from.position,
    to: to.position,
  })
  const isApart = view.mayBeAhead === true
  const asOf = isApart ? whereKeysStand(aside) : <Written extends RowKey>(row: Written): Written => row
  const upserts: Upsert[] = []
  const deletes: DeletedRow[] = []
  let writtenBytes = 0
  const presents = folding.stages?.present !== undefined
  await turns.over('rows', changed, (slot, n) => {
    const { tenant, key, position, state, stored } = slot
    const row = staged.rows[n] ?? null
    slot.stored = row
    if (row === null || state == null) {
      deletes.push(asOf({ tenant, key, position }))
      return
    }
    const upsert = upsertOf(slot, row, presents, staged.joined?.get(slot))
    // An event that was routed and not folded left its row as it was, but for the rows that this one refers to.
    const isSame = !isFolded(slot, from.position) && stored !== null && encodeRow(stored) === upsert.doc
    // What others may still write of it has to be older than what is there.
    if (isSame && !isApart) return
    upserts.push(asOf(upsert))
    const bytes = upsert.doc.length + (upsert.state?.length ?? 0)
    cache.weigh(slot, bytes)
    writtenBytes += bytes
  })
  for (const slot of isApart ? cache.batch().filter(one => left.has(rowId(one))) : []) {
    const { tenant, key, position } = slot
    const asItStands = asStored(slot, presents)
    if (asItStands === undefined) deletes.push(asOf({ tenant, key, position }))
    else upserts.push(asOf(asItStands))
  }
  const { rollups } = staged
  const past = keeper?.past() ?? []
  const setAside = withRefsAt(aside.take(), join, left)
  return {
    ...{ to, upserts, deletes, rollups, past, writtenBytes },
    ...(failure !== undefined && { failure }),
    ...(setAside !== undefined && { setAside }),
  }
}

/** Rows of keys that fail are as of before the event at which these stand, whatever else the batch holds. */
function whereKeysStand(aside: Aside) {
  const standing = new Map(aside.failures().map(failure => [rowId(failure), failure.position - 1]))
  return <Written extends RowKey>(row: Written): Written => {
    const madeAt = standing.get(rowId(row))
    return madeAt === undefined ? row : { ...row, madeAt }
  }
}

/** A row as it is written; where its state is one of its own, with that, and with the keys to which it refers. */
export function upsertOf(
  { tenant, key, position, state }: Slot,
  row: Row,
  presents: boolean,
  joined: Joined | undefined,
): Upsert {
  const refs = joined?.error === undefined ? joined?.keys : undefined
  return {
    ...{ tenant, key, position, row, doc: encodeRow(row) },
    ...(presents && { state: encodeRow(state as Row) }),
    ...(refs !== undefined && { refs }),
  }
}

/** A row that cannot be made anew, as it is: what others may still write of it is older then. `undefined`: there is none. */
export function asStored(slot: Slot, presents: boolean): Upsert | undefined {
  return slot.stored === null || slot.state == null ? undefined : upsertOf(slot, slot.stored, presents, undefined)
}

/** Loads, in one statement, those of the rows that this process does not know. */
export async function loadRows(view: Pick<View, 'load'>, slots: readonly Slot[]): Promise<void> {
  const unknown = slots.filter(({ state }) => state === undefined)
  if (unknown.length === 0) return
  const found = await view.load(unknown)
  for (const slot of unknown) {
    const loaded = found.get(rowId(slot))
    slot.stored = loaded?.doc == null ? null : decodeRow(loaded.doc)
    slot.state = loaded?.state === undefined ? slot.stored : decodeRow(loaded.state)
    slot.position = loaded?.position ?? 0
    if (loaded?.madeAt !== undefined) slot.loaded = { position: loaded.position, madeAt: loaded.madeAt }
  }
}

function lastBefore(failed: RecordedEvent, events: readonly RecordedEvent[], from: Anchor): Anchor {
  const last = events.filter(({ position }) => position < failed.position).at(-1)
  return last === undefined ? from : { position: last.position, fingerprint: fingerprintOf(last.id) }
}
