import type { RecordedEvent } from '../define/index.ts'
import { type Anchor, fingerprintOf, type Page, type Runtime } from '../log/index.ts'
import { decodeRow, type Row } from './encode-row.ts'
import { changesOf, type FoldFailure, type Folding, type Routed, type Touched } from './fold.ts'
import type { RowCache } from './row-cache.ts'
import type { RowKey, Upsert, View } from './store.ts'

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
  const { folding, cache, runtime, turnEvents } = context
  const { routed, failure: unrouted } = folding.route(page.events)
  const before = await rowsBefore(routed, context)
  const touched = new Map<string, Touched>()
  let failure: FoldFailure | undefined
  for (let at = 0; at < routed.length && failure === undefined; at += turnEvents) {
    if (at > 0) await runtime.turn()
    failure = folding.fold(routed.slice(at, at + turnEvents), id => before.get(id) ?? null, touched)
  }
  failure ??= unrouted
  const upserts: Upsert[] = []
  const deletes: RowKey[] = []
  let writtenBytes = 0
  const entries = [...touched]
  for (let at = 0; at < entries.length; at += turnEvents) {
    await runtime.turn()
    const slice = entries.slice(at, at + turnEvents)
    const changes = changesOf(slice.map(([, row]) => row))
    for (const upsert of changes.upserts) writtenBytes += upsert.doc.length
    const bytes = writtenBytes / Math.max(1, upserts.length + changes.upserts.length)
    for (const [id, { row }] of slice) cache.put(id, row, row === null ? 0 : bytes)
    upserts.push(...changes.upserts)
    deletes.push(...changes.deletes)
  }
  const to = failure === undefined ? page.through : lastBefore(failure.event, page.events, from)
  return { to, upserts, deletes, writtenBytes, ...(failure !== undefined && { failure }) }
}

async function rowsBefore(routed: readonly Routed[], { cache, view }: BatchContext): Promise<Map<string, Row | null>> {
  const rows = new Map<string, Row | null>()
  const unknown: RowKey[] = []
  for (const { event, keys, ids } of routed) {
    for (const [n, id] of ids.entries()) {
      if (rows.has(id)) continue
      const row = cache.get(id)
      rows.set(id, row ?? null)
      if (row === undefined) unknown.push({ tenant: event.tenant, key: keys[n] as string })
    }
  }
  if (unknown.length > 0) {
    for (const [id, doc] of await view.load(unknown)) rows.set(id, decodeRow(doc))
  }
  return rows
}

function lastBefore(failed: RecordedEvent, events: readonly RecordedEvent[], from: Anchor): Anchor {
  const last = events.filter(({ position }) => position < failed.position).at(-1)
  return last === undefined ? from : { position: last.position, fingerprint: fingerprintOf(last.id) }
}
