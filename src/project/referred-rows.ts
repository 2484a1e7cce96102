import type { Position } from '../define/index.ts'
import { decodeRow, type Row } from './encode-row.ts'
import type { ChangedRow } from './referred.ts'
import { type RowKey, rowId, type View } from './store.ts'

/** Characters of the rows that are kept, of each view and shard. */
const defaultMaxChars = 4 * 2 ** 20

/**
 * Rows of a view that others refer to. They are kept until they change: most batches refer to rows that batches before them
 * have referred to.
 */
export interface ReferredRows {
  /**
   * As of `position`, by `rowId`; `null` where there is none. `changed` are those that changed after the position `after`, and
   * may be more.
   */
  at(
    position: Position,
    keys: readonly RowKey[],
    changed: readonly ChangedRow[],
    after: Position,
  ): Promise<ReadonlyMap<string, Row | null>>
  /** What is kept: rows, and the characters of all. */
  kept(): { readonly rows: number; readonly chars: number }
}

/** @param maxChars when more are kept, all are forgotten. */
export function makeReferredRows(view: Pick<View, 'asOf'>, maxChars: number = defaultMaxChars): ReferredRows {
  let known = new Map<string, Row | null>()
  let knownChars = 0
  let at: Position = 0
  async function rowsAt(
    ...[position, keys, changed, after]: Parameters<ReferredRows['at']>
  ): Promise<ReadonlyMap<string, Row | null>> {
    // Where a row fails, those are asked for that it was made with before: what is known is too new for these, and these are
    // too old for the next batch.
    if (position < at || at < after || knownChars > maxChars) {
      known = new Map()
      knownChars = 0
    }
    for (const row of changed) if (row.position > at && row.position <= position) known.delete(rowId(row))
    at = position
    const missing = new Map(keys.map(key => [rowId(key), key] as const).filter(([id]) => !known.has(id)))
    if (missing.size > 0) {
      const docs = await view.asOf([...missing.values()], position)
      for (const id of missing.keys()) {
        const doc = docs.get(id)
        known.set(id, doc === undefined ? null : decodeRow(doc))
        knownChars += id.length + (doc?.length ?? 0)
      }
    }
    return known
  }

  return { at: rowsAt, kept: () => ({ rows: known.size, chars: knownChars }) }
}
