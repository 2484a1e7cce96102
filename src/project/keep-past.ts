import type { Position } from '../define/index.ts'
import { fingerprintOf } from '../log/index.ts'
import type { Aside } from './aside.ts'
import { encodeRow } from './encode-row.ts'
import type { Folding, Routed, Slot } from './fold.ts'
import type { Batch } from './prepare-batch.ts'
import type { PastRow } from './referred.ts'
import { rowId } from './store.ts'

/** Folds as `Folding.fold` does, and notes what each event changed. */
export interface PastKeeper {
  readonly fold: Folding['fold']
  /** What rows were before the events that are in them now: not before those that were undone since. */
  past(): readonly PastRow[]
}

/**
 * Rows that others refer to are read as of any position: so each event counts by itself, also where several of them touch one
 * row in a batch, of which the row that is stored shows the last one alone.
 */
export function keepPast(folding: Folding): PastKeeper {
  const noted: { readonly slot: Slot; readonly entry: PastRow }[] = []
  const docs = new Map<Slot, string | null>()

  function docOf(slot: Slot, { event }: Routed): string | null {
    if (slot.state == null) return null
    return encodeRow(folding.stages?.present?.(slot.state, {}, () => event) ?? slot.state)
  }
  function foldOne({ event }: Routed, slot: Slot, aside: Aside): void {
    const before = { state: slot.state, position: slot.position }
    if (!docs.has(slot)) docs.set(slot, slot.stored === null ? null : encodeRow(slot.stored))
    const one = { event, slots: [slot] }
    folding.fold([one], aside)
    if (slot.position !== event.position) return
    const doc = docs.get(slot) ?? null
    let after: string | null
    try {
      after = docOf(slot, one)
    } catch (error) {
      // A row that cannot be made is no row as of this event: the key stands before it.
      Object.assign(slot, before)
      aside.fail(slot, event, error)
      return
    }
    if (after === doc) return
    const { tenant, key } = slot
    const entry = { tenant, key, position: event.position, fingerprint: fingerprintOf(event.id), doc }
    noted.push({ slot, entry })
    docs.set(slot, after)
  }

  return {
    past: () => noted.filter(({ slot, entry }) => entry.position <= slot.position).map(({ entry }) => entry),
    fold: (routed, aside) => {
      for (const one of routed) for (const slot of one.slots) foldOne(one, slot, aside)
    },
  }
}

/**
 * Of rows that change at positions that the view is past already, as those of a parked key that is folded on: what they were
 * at each of these events, and a late change behind the checkpoint. So whoever comes by later sees them as if they had never
 * stood still; and who has passed the events as well makes anew what refers to them, since nobody is past the checkpoint of a
 * shard with parked keys.
 */
export function countedLate(
  { past, upserts }: Pick<Batch, 'past' | 'upserts'>,
  checkpoint: Position,
): readonly PastRow[] {
  const docs = new Map(upserts.map(upsert => [rowId(upsert), upsert.doc]))
  const changed = new Map(past.map(({ tenant, key }) => [rowId({ tenant, key }), { tenant, key }]))
  const late = Array.from(changed, ([id, row]): PastRow => {
    return { ...row, position: checkpoint + 1, fingerprint: '', doc: docs.get(id) ?? null }
  })
  return [...past, ...late]
}
