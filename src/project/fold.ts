import { BifoldError, type RecordedEvent } from '../define/index.ts'
import { encodeRow, makeRowCheck, type Row, textProblem } from './encode-row.ts'
import { type RowKey, rowId, type Upsert, type ViewShape } from './store.ts'

/** An event, and the rows that it touches. */
export interface Routed {
  readonly event: RecordedEvent
  readonly keys: readonly string[]
  /** The `rowId` of each key. */
  readonly ids: readonly string[]
}

/** A row as a batch leaves it: `null` where the last fold deleted it. */
export interface Touched extends RowKey {
  readonly position: number
  readonly row: Row | null
}

/** Why a batch could not go on: the event at which it stands, and a `project/…` error that names it. */
export interface FoldFailure {
  readonly event: RecordedEvent
  readonly error: BifoldError
}

/** A projection's folds, pure: all that they need is handed to them, and what they answer is all that they do. */
export interface Folding {
  /** Finds the rows that each event touches, up to the first event whose `key` fails. */
  route(events: readonly RecordedEvent[]): { readonly routed: readonly Routed[]; readonly failure?: FoldFailure }
  /**
   * Folds events in order onto `touched`, up to the first one that fails; of that one, no row is changed. `before` gives
   * a row as it was before the batch.
   */
  fold(
    routed: readonly Routed[],
    before: (id: string) => Row | null,
    touched: Map<string, Touched>,
  ): FoldFailure | undefined
}

/** A key may have this many bytes of UTF-8: it is part of every index of its view. */
const maxKeyBytes = 512

export function makeFolding({ projection, columns }: ViewShape): Folding {
  const { name, key: keyOf, on } = projection
  const checkRow = makeRowCheck(projection, columns)
  const at = ({ position, type, id }: RecordedEvent) => ({ projection: name, position, type, eventId: id })

  function keysOf(event: RecordedEvent): readonly string[] {
    if (keyOf === 'stream') return [event.streamId]
    let answer: unknown
    try {
      answer = keyOf[event.type]?.(event) ?? null
    } catch (cause) {
      throw new BifoldError('project/fold-failed', { ...at(event), part: 'key', ...thrown(cause) }, { cause })
    }
    if (answer === null) return []
    const keys: readonly unknown[] = Array.isArray(answer) ? [...new Set(answer)] : [answer]
    for (const key of keys) {
      const problem = keyProblem(key)
      if (problem !== undefined) throw new BifoldError('project/invalid-key', { ...at(event), problem })
    }
    return keys as readonly string[]
  }

  function foldRow(before: Row | null, event: RecordedEvent, key: string): Row | null {
    let folded: unknown
    try {
      folded = on[event.type]?.(before, event, key)
    } catch (cause) {
      throw new BifoldError('project/fold-failed', { ...at(event), part: 'on', ...thrown(cause) }, { cause })
    }
    if (folded === null) return null
    const checked = checkRow(folded)
    if (checked.issues !== undefined) {
      throw new BifoldError('project/invalid-row', { ...at(event), issues: checked.issues })
    }
    return checked.row
  }

  function foldEvent(
    { event, keys, ids }: Routed,
    before: (id: string) => Row | null,
    touched: Map<string, Touched>,
  ): void {
    const rowBefore = (id: string): Row | null => {
      const known = touched.get(id)
      return known === undefined ? before(id) : known.row
    }
    // All keys first, then all changes: an event that fails on its second key has not touched its first.
    const rows = keys.map((key, n) => foldRow(rowBefore(ids[n] as string), event, key))
    for (const [n, row] of rows.entries()) {
      touched.set(ids[n] as string, {
        tenant: event.tenant,
        key: keys[n] as string,
        position: event.position,
        row,
      })
    }
  }

  return {
    route: events => {
      const routed: Routed[] = []
      for (const event of events) {
        if (on[event.type] === undefined) continue
        try {
          const keys = keysOf(event)
          routed.push({ event, keys, ids: keys.map(key => rowId({ tenant: event.tenant, key })) })
        } catch (error) {
          return { routed, failure: { event, error: error as BifoldError } }
        }
      }
      return { routed }
    },
    fold: (routed, before, touched) => {
      for (const one of routed) {
        try {
          foldEvent(one, before, touched)
        } catch (error) {
          return { event: one.event, error: error as BifoldError }
        }
      }
      return undefined
    },
  }
}

function keyProblem(key: unknown): string | undefined {
  if (typeof key !== 'string') return `it must be text, several in an array, or null, not ${typeof key}`
  if (key === '') return 'it is empty'
  if (key.length * 3 > maxKeyBytes && Buffer.byteLength(key) > maxKeyBytes)
    return `it has more than ${maxKeyBytes} bytes`
  return textProblem(key)
}

/** What was thrown, and where, without its message: that may quote the event. */
function thrown(error: unknown): { readonly error: string; readonly source?: string } {
  if (!(error instanceof Error)) return { error: `a ${typeof error}` }
  const source = /^\s+at (.+)$/m.exec(error.stack ?? '')?.[1]
  return source === undefined ? { error: error.name } : { error: error.name, source }
}

/** What a batch changes, as a store takes it. */
export function changesOf(touched: Iterable<Touched>): {
  readonly upserts: readonly Upsert[]
  readonly deletes: readonly RowKey[]
} {
  const upserts: Upsert[] = []
  const deletes: RowKey[] = []
  for (const { tenant, key, position, row } of touched) {
    if (row === null) deletes.push({ tenant, key })
    else upserts.push({ tenant, key, position, row, doc: encodeRow(row) })
  }
  return { upserts, deletes }
}
