import { encodeRow } from './encode-row.ts'
import type { Routed, Slot } from './fold.ts'
import { compareText } from './order.ts'

/** The rows of a view that did not have any, while all of them are folded in memory. */
export interface BulkRows {
  slot(tenant: string, key: string): Slot
  /** Looks at what a page has touched: forgets rows that were deleted, and weighs some of the others. */
  passed(routed: readonly Routed[]): void
  /** About how many bytes of memory they take. */
  bytes(): number
  /** All rows that there are, tenant by tenant, in the order of their keys. */
  sorted(): Iterable<Slot>
}

/** About what a row costs beside its values: the objects that hold it, its key, and its places in maps. */
export const overheadBytes = 300
/** A value in memory costs about three times its text. */
export const textBytes = (characters: number): number => characters * 3
/** Of each page, so many rows are weighed. Each more would cost as much as folding an event. */
const weighedRows = 32

/** @param keepsDeleted rows that were deleted are kept, without a state. Default: they are forgotten. */
export function makeBulkRows(keepsDeleted = false): BulkRows {
  const tenants = new Map<string, Map<string, Slot>>()
  let count = 0
  let averageCharacters = 0

  function weigh(routed: readonly Routed[]): void {
    const step = Math.max(1, Math.floor(routed.length / weighedRows))
    let characters = 0
    let weighed = 0
    for (let at = 0; at < routed.length; at += step) {
      const slots = routed[at]?.slots ?? []
      // Of an event of several keys each has its turn: the first may be small, and the others not.
      const slot = slots[weighed % slots.length]
      if (slot?.state == null) continue
      characters += encodeRow(slot.state).length + slot.key.length
      weighed++
    }
    if (weighed === 0) return
    const average = characters / weighed
    // Rows may grow with the log: what was weighed last counts most.
    averageCharacters = averageCharacters === 0 ? average : averageCharacters * 0.8 + average * 0.2
  }

  return {
    slot: (tenant, key) => {
      let own = tenants.get(tenant)
      if (own === undefined) {
        own = new Map()
        tenants.set(tenant, own)
      }
      const known = own.get(key)
      if (known !== undefined) return known
      const made: Slot = { tenant, key, state: null, stored: null, position: 0 }
      own.set(key, made)
      count++
      return made
    },
    passed: routed => {
      for (const { slots } of keepsDeleted ? [] : routed) {
        for (const { tenant, key, state } of slots) {
          if (state == null && tenants.get(tenant)?.delete(key) === true) count--
        }
      }
      weigh(routed)
    },
    bytes: () => count * (overheadBytes + textBytes(averageCharacters)),
    sorted: function* () {
      for (const tenant of [...tenants.keys()].sort(compareText)) {
        const own = tenants.get(tenant) as Map<string, Slot>
        // The default order is much faster than that of `compareText`, and as good: neighbours share an index page.
        for (const key of [...own.keys()].sort()) yield own.get(key) as Slot
      }
    },
  }
}
