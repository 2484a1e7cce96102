import type { Slot } from './fold.ts'

/** The rows of a projection that this process knows to be what is stored, or on its way there. Bounded by weight. */
export interface RowCache {
  /** Begins a batch: from now on its rows are gathered, and until the next one begins no row is forgotten. */
  begin(): void
  /** The slot of a row, which then is one of the batch. Its state is `undefined` where nothing is known of it. */
  slot(tenant: string, key: string): Slot
  /** The slots of this batch, each once. */
  batch(): readonly Slot[]
  /** The document of a slot of this batch now has so many bytes. */
  weigh(slot: Slot, bytes: number): void
  /** Forgets everything. `isEmpty`: the view has no rows, so that what was never put here is not there. */
  clear(isEmpty: boolean): void
}

interface CachedSlot extends Slot {
  batch: number
  weight: number
}

/** About what an entry costs beside its document and its key. */
const overheadBytes = 200

/** Slots by tenant and key: a map for each tenant, so that no look-up has to put a name together. */
type Half = Map<string, Map<string, CachedSlot>>

/**
 * Two halves: what was asked for since the last turn-over, and what was in the half before. Turning over drops the older
 * half at once, which is cheaper than an order of use kept at every step.
 */
export function makeRowCache(maxBytes: number): RowCache {
  let young: Half = new Map()
  let old: Half = new Map()
  let youngBytes = 0
  let isWhole = false
  let batch: CachedSlot[] = []
  let number = 0

  function find(tenant: string, key: string): CachedSlot {
    let own = young.get(tenant)
    if (own === undefined) {
      own = new Map()
      young.set(tenant, own)
    }
    const fresh = own.get(key)
    if (fresh !== undefined) return fresh
    const state = isWhole ? null : undefined
    const weight = key.length + overheadBytes
    const slot = old.get(tenant)?.get(key) ?? { tenant, key, state, stored: null, position: 0, batch: 0, weight }
    own.set(key, slot)
    youngBytes += slot.weight
    return slot
  }

  return {
    begin: () => {
      batch = []
      number++
      if (youngBytes <= maxBytes / 2) return
      if (old.size > 0) isWhole = false
      old = young
      young = new Map()
      youngBytes = 0
    },
    slot: (tenant, key) => {
      const slot = find(tenant, key)
      if (slot.batch !== number) {
        slot.batch = number
        batch.push(slot)
      }
      return slot
    },
    batch: () => batch,
    weigh: (slot, bytes) => {
      const cached = slot as CachedSlot
      const weight = bytes + cached.key.length + overheadBytes
      youngBytes += weight - cached.weight
      cached.weight = weight
    },
    clear: isEmpty => {
      young = new Map()
      old = new Map()
      youngBytes = 0
      isWhole = isEmpty
      batch = []
    },
  }
}
