import type { ViewShape } from '../project/index.ts'
import { makeKeysOf } from './beside-rows.ts'
import type { FoldedRow } from './held-rows.ts'
import type { SumId } from './sum-digests.ts'

/** About what building a view takes. */
export interface Estimate {
  /** How far the log has to be read. */
  readonly events: number
  /** In one process that does nothing else: as long as reading and folding took just now, and writing the rows in bulk. */
  readonly ms: number
  /**
   * Disk space of the rows, with the keys that they refer to, of the sums over them, and of the indexes of both, in PostgreSQL;
   * of large rows less, since those are compressed.
   */
  readonly bytes: number
}

/** Rows that a bulk load writes in a second, with their indexes: cautiously. A sum is a row, too. */
const rowsPerSecond = 50_000

/** A row's header, its place on the page, its position and the lengths of its values. */
const rowOverhead = 56
/** The same of a sum's row, with its shard, its count of rows and its value. */
const sumOverhead = 64
/** An index entry's header and its place on the page. */
const entryOverhead = 24
/** A shard, and what it is padded with. */
const shardBytes = 8
/** How full pages of rows, of sums and of indexes are. */
const [rowFill, sumFill, indexFill] = [0.8, 0.5, 0.75]

export interface Estimating {
  add(row: FoldedRow): void
  addSum(sum: SumId): void
  /** @param foldedMs what it took to read and fold the events. */
  of(folded: { readonly events: number; readonly foldedMs: number }): Estimate
}

/** Estimates row by row, and sum by sum. */
export function makeEstimate(shape: ViewShape): Estimating {
  const { projection, stateColumns } = shape
  const { indexes } = projection
  const keysOf = makeKeysOf(shape)
  let [rows, bytes] = [0, 0]

  /** The keys that a row refers to stand in columns, each with an index, beside its shard. */
  function addReferences(row: FoldedRow, keyLength: number): void {
    const keys = keysOf(row)
    if (keys === undefined) return
    const lengths = Object.values(keys).map(key => key?.length ?? 0)
    const length = lengths.reduce((sum, one) => sum + one, 0)
    bytes += (length + shardBytes) / rowFill
    bytes += ((entryOverhead + keyLength + shardBytes) * lengths.length + length) / indexFill
  }

  return {
    add: row => {
      const { tenant, key, doc, state = '' } = row
      const keyLength = tenant.length + key.length
      rows++
      // Beside the document, each value stands in its column once more, without its name.
      bytes += (rowOverhead + keyLength + doc.length * 1.6 + (stateColumns === undefined ? 0 : state.length)) / rowFill
      bytes += ((entryOverhead + keyLength) * (1 + indexes.length) + 8 * indexes.flat().length) / indexFill
      addReferences(row, keyLength)
    },
    addSum: ({ rollup, tenant, group, sum }) => {
      const length = rollup.length + tenant.length + group.length + sum.length
      rows++
      bytes += (sumOverhead + length) / sumFill + (entryOverhead + length + shardBytes) / indexFill
    },
    of: ({ events, foldedMs }) => {
      return { events, ms: Math.round(foldedMs + (rows / rowsPerSecond) * 1000), bytes: Math.round(bytes) }
    },
  }
}
