import type { RecordedEvent } from '../define/index.ts'
import { type Anchor, fingerprintOf, type Page, type Runtime } from '../log/index.ts'
import { decodeRow, encodeRow } from './encode-row.ts'
import type { FoldFailure, Folding, Slot } from './fold.ts'
import type { RowCache } from './row-cache.ts'
import { type RowKey, rowId, type Upsert, type View } from './store.ts'

/** What a page of the log makes of a view, ready to be written. */
export interface Batch {
  /** Everything up to here is in it: the end of the page, or the event before the one that failed. */
  readonly to: Anchor
  readonly upserts: readonly Upsert[]
  readonly deletes: readonly RowKey[]
  readonly writtenBytes: number
  /** Where the page could not be folded to its end. */
  readonly failure?: FoldFailure
}

export interface BatchContext {
  readonly folding: Folding
  readonly view: Pick<View, 'load'>
  readonly cache: RowCache
  readonly runtime: Pick<Runtime, 'turn'>
  readonly turnEvents: number
}

/**
 * Folds a page: finds the rows that it touches, loads in one statement those that this process does not know, folds, and
 * encodes what changed. The rows then count as known, although they are not written yet: whoever fails to write them
 * forgets them all.
 */
export async function prepareBatch(page: Page, from: Anchor, context: BatchContext): Promise<Batch> {
  const { folding, view, cache, runtime, turnEvents } = context
  cache.begin()
  const { routed, failure: unrouted } = folding.route(page.events, cache.slot)
  await loadRows(view, cache.batch())
  let failure: FoldFailure | undefined
  for (let at = 0; at < routed.length && failure === undefined; at += turnEvents) {
    if (at > 0) await runtime.turn()
    failure = folding.fold(routed.slice(at, at + turnEvents))
  }
  failure ??= unrouted
  const upserts: Upsert[] = []
  const deletes: RowKey[] = []
  let writtenBytes = 0
  for (const [n, slot] of cache.batch().entries()) {
    if (n % turnEvents === turnEvents - 1) await runtime.turn()
    const { tenant, key, position, row } = slot
    // An event that was routed and not folded left its rows as they were.
    if (position <= from.position) continue
    if (row == null) {
      deletes.push({ tenant, key })
      continue
    }
    const doc = encodeRow(row)
    upserts.push({ tenant, key, position, row, doc })
    cache.weigh(slot, doc.length)
    writtenBytes += doc.length
  }
  const to = failure === undefined ? page.through : lastBefore(failure.event, page.events, from)
  return { to, upserts, deletes, writtenBytes, ...(failure !== undefined && { failure }) }
}

async function loadRows(view: Pick<View, 'load'>, slots: readonly Slot[]): Promise<void> {
  const unknown = slots.filter(({ row }) => row === undefined)
  if (unknown.length === 0) return
  const docs = await view.load(unknown)
  for (const slot of unknown) {
    const doc = docs.get(rowId(slot))
    slot.row = doc === undefined ? null : decodeRow(doc)
  }
}

function lastBefore(failed: RecordedEvent, events: readonly RecordedEvent[], from: Anchor): Anchor {
  const last = events.filter(({ position }) => position < failed.position).at(-1)
  return last === undefined ? from : { position: last.position, fingerprint: fingerprintOf(last.id) }
}
