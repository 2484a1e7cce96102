import { hash } from 'node:crypto'
import { rowId } from '../project/index.ts'
import { type FoldedRow, rowBytes } from './held-rows.ts'
import type { Scale } from './scale.ts'

type Document = Pick<FoldedRow, 'tenant' | 'key' | 'doc'>

/**
 * Which documents rows had in a snapshot, by eight bytes of a hash of each: kept of shards of whose next move a part is made
 * already, where a row may be one of two. It only says which of the two to take; whether that is right, the digest of the
 * bucket says.
 */
export interface Seen {
  add(bucket: number, row: Document): void
  /** Keeps the document itself: of a row that may have any. */
  keep(row: Document): void
  /** The row with that of its two documents which was stored, if it was one of them. */
  asStored(bucket: number, row: FoldedRow): FoldedRow
  /** Nothing is held any more. */
  end(): void
}

export function makeSeen(scale: Scale): Seen {
  const marks = new Map<number, { all: BigUint64Array; length: number }>()
  const kept = new Map<string, string>()
  let heldBytes = 0
  let last: { readonly bucket: number; readonly all: ReadonlySet<bigint> } | undefined

  function weigh(bytes: number): void {
    if (!scale.fits(bytes)) throw scale.tooLarge()
    scale.add(bytes)
    heldBytes += bytes
  }

  function grown(all: BigUint64Array): BigUint64Array {
    const bytes = Math.max(8, all.byteLength)
    weigh(bytes)
    const larger = new BigUint64Array(all.length + bytes / 8)
    larger.set(all)
    return larger
  }

  function allOf(bucket: number): ReadonlySet<bigint> {
    if (last?.bucket !== bucket) {
      const { all, length } = marks.get(bucket) ?? { all: new BigUint64Array(), length: 0 }
      last = { bucket, all: new Set(all.subarray(0, length)) }
    }
    return last.all
  }

  return {
    add: (bucket, row) => {
      const own = marks.get(bucket) ?? { all: new BigUint64Array(), length: 0 }
      if (own.length === own.all.length) own.all = grown(own.all)
      own.all[own.length++] = markOf(row)
      marks.set(bucket, own)
    },
    keep: row => {
      weigh(rowBytes(row))
      kept.set(rowId(row), row.doc)
    },
    asStored: (bucket, row) => {
      const { ahead, isAnyDoc, ...own } = row
      if (isAnyDoc === true) {
        const doc = kept.get(rowId(row))
        return doc === undefined ? row : { ...own, doc }
      }
      if (ahead === undefined) return row
      const other = { ...row, doc: ahead }
      return allOf(bucket).has(markOf(other)) ? other : row
    },
    end: () => {
      scale.add(-heldBytes)
      heldBytes = 0
      marks.clear()
      kept.clear()
      last = undefined
    },
  }
}

function markOf({ tenant, key, doc }: Document): bigint {
  return hash('sha256', JSON.stringify([tenant, key, doc]), 'buffer').readBigUInt64BE()
}
