import type { ViewShape } from '../project/index.ts'
import type { FoldedRow } from './held-rows.ts'

/** About what building a view takes. */
export interface Estimate {
  /** How far the log has to be read. */
  readonly events: number
  /** In one process that does nothing else: as long as reading and folding took just now, and writing the rows in bulk. */
  readonly ms: number
  /** Disk space of the rows and their indexes, in PostgreSQL; of large rows less, since those are compressed. */
  readonly bytes: number
}

/** Rows that a bulk load writes in a second, with their indexes: cautiously. */
const rowsPerSecond = 50_000

/** A row's header, its place on the page, its position and the lengths of its values. */
const rowOverhead = 56
/** An index entry's header and its place on the page. */
const entryOverhead = 24
/** How full pages of rows and of indexes are. */
const [rowFill, indexFill] = [0.8, 0.75]

/** Estimates row by row. */
export function makeEstimate({ projection, stateColumns }: ViewShape): {
  add(row: FoldedRow): void
  /** @param foldedMs what it took to read and fold the events. */
  of(folded: { readonly events: number; readonly foldedMs: number }): Estimate
} {
  const { indexes } = projection
  let [rows, bytes] = [0, 0]
  return {
    add: ({ tenant, key, doc, state = '' }) => {
      const keyLength = tenant.length + key.length
      rows++
      // Beside the document, each value stands in its column once more, without its name.
      bytes += (rowOverhead + keyLength + doc.length * 1.6 + (stateColumns === undefined ? 0 : state.length)) / rowFill
      bytes += ((entryOverhead + keyLength) * (1 + indexes.length) + 8 * indexes.flat().length) / indexFill
    },
    of: ({ events, foldedMs }) => {
      return { events, ms: Math.round(foldedMs + (rows / rowsPerSecond) * 1000), bytes: Math.round(bytes) }
    },
  }
}
