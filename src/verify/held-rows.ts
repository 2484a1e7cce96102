import { type LoadedRow, type RowKey, rowId } from '../project/index.ts'
import { bucketOf, type Pass } from './pass.ts'

/** A row as the log makes it. */
export interface FoldedRow extends RowKey, LoadedRow {
  /** The other document that it may have, where a part of its shard's next move is made already. */
  readonly ahead?: string
  /** It stands still, made with rows of no one position: what its document should be does not follow from the log. */
  readonly isAnyDoc?: boolean
}

/** The rows of a pass, by their buckets. */
export interface HeldRows {
  /** Is it one of those that are held, or would be if there were such a row? */
  isOwn(row: RowKey): boolean
  get(row: RowKey): FoldedRow | undefined
  /** Not where it is none of the pass, or has just left it. */
  set(row: FoldedRow): void
  delete(row: RowKey): void
  /** The rows of a bucket, by `rowId`. */
  in(bucket: number): ReadonlyMap<string, FoldedRow>
}

const none: ReadonlyMap<string, FoldedRow> = new Map()

/** @param bucketFor the bucket with which a row is held, and leaves; `undefined` where it is not held. Default: its own. */
export function makeHeldRows(pass: Pass, bucketFor: (row: RowKey) => number | undefined = bucketOf): HeldRows {
  const rows = new Map<number, Map<string, FoldedRow>>()
  pass.onLeave(bucket => {
    rows.delete(bucket)
  })
  const within = (row: RowKey): number | undefined => {
    const bucket = bucketFor(row)
    return bucket !== undefined && pass.holds(bucket) ? bucket : undefined
  }
  const get = (row: RowKey, bucket = within(row)): FoldedRow | undefined =>
    bucket === undefined ? undefined : rows.get(bucket)?.get(rowId(row))
  return {
    isOwn: row => within(row) !== undefined,
    get: row => get(row),
    set: row => {
      const bucket = within(row)
      if (bucket === undefined || !pass.weigh(bucket, rowBytes(row) - bytesOf(get(row, bucket)))) return
      const own = rows.get(bucket) ?? new Map<string, FoldedRow>()
      rows.set(bucket, own.set(rowId(row), row))
    },
    delete: row => {
      const bucket = within(row)
      if (bucket === undefined) return
      pass.weigh(bucket, -bytesOf(get(row, bucket)))
      rows.get(bucket)?.delete(rowId(row))
    },
    in: bucket => rows.get(bucket) ?? none,
  }
}

/** About what a row takes in memory: one byte for each character, and what a map entry and an object cost. */
export function rowBytes(row: Pick<FoldedRow, 'key' | 'doc' | 'state' | 'ahead'>): number {
  const { key, doc, state = '', ahead = '' } = row
  return doc.length + state.length + ahead.length + 2 * key.length + 250
}

function bytesOf(row: FoldedRow | undefined): number {
  return row === undefined ? 0 : rowBytes(row)
}
