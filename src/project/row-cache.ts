import type { Row } from './encode-row.ts'

/** The rows of a projection that this process knows to be what is stored, or on its way there. Bounded by weight. */
export interface RowCache {
  /** A row, `null` where it is known that there is none, `undefined` where nothing is known. */
  get(id: string): Row | null | undefined
  /** `bytes`: the length of its document. */
  put(id: string, row: Row | null, bytes: number): void
  /** Forgets everything. `isEmpty`: the view has no rows, so that what was never put here is not there. */
  clear(isEmpty: boolean): void
}

interface Entry {
  readonly row: Row | null
  readonly weight: number
}

/** About what an entry costs beside its document and its id. */
const overheadBytes = 128

/**
 * Two halves: what was put or asked for since the last turn-over, and what was in the half before. Turning over drops
 * the older half at once, which is cheaper than an order of use kept at every step.
 */
export function makeRowCache(maxBytes: number): RowCache {
  let young = new Map<string, Entry>()
  let old = new Map<string, Entry>()
  let youngBytes = 0
  let isWhole = false

  function keep(id: string, entry: Entry): void {
    youngBytes += entry.weight - (young.get(id)?.weight ?? 0)
    young.set(id, entry)
    if (youngBytes <= maxBytes / 2) return
    if (old.size > 0) isWhole = false
    old = young
    young = new Map()
    youngBytes = 0
  }

  return {
    get: id => {
      const fresh = young.get(id)
      if (fresh !== undefined) return fresh.row
      const aged = old.get(id)
      if (aged === undefined) return isWhole ? null : undefined
      keep(id, aged)
      return aged.row
    },
    put: (id, row, bytes) => keep(id, { row, weight: bytes + id.length + overheadBytes }),
    clear: isEmpty => {
      young = new Map()
      old = new Map()
      youngBytes = 0
      isWhole = isEmpty
    },
  }
}
