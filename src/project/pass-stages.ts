import type { RecordedEvent } from '../define/index.ts'
import type { Row } from './encode-row.ts'
import type { Folding, Routed, Slot } from './fold.ts'
import { type LastEvent, unreadEvent } from './folded-at.ts'
import type { Joined } from './join.ts'
import type { RollupSum } from './rollup-store.ts'
import { addUp, type Contribution } from './rollups.ts'
import type { RefRows } from './stages.ts'
import type { Turns } from './turns.ts'

/** What the stages after folding make of a batch. */
export interface Staged {
  /** The row of each slot, in their order; `null` where there is none any more. */
  readonly rows: readonly (Row | null)[]
  /** How the rollups change. */
  readonly rollups: readonly RollupSum[]
  /** Slots whose row cannot be made, and why. They are in nothing else here. */
  readonly failed: readonly StageFailure[]
  /** What the states refer to. */
  readonly joined?: ReadonlyMap<Slot, Joined>
}

export interface StageFailure {
  readonly slot: Slot
  readonly error: unknown
}

export interface StagesContext {
  readonly folding: Pick<Folding, 'stages'>
  readonly turns: Turns
  /** What states refer to; absent where they refer to nothing. */
  readonly joinFor?: (slots: readonly Slot[], lastOf: (slot: Slot) => LastEvent) => Promise<ReadonlyMap<Slot, Joined>>
}

/**
 * Takes folded slots through the stages after folding: makes the row of each, once for the whole batch, and what that
 * changes in the rollups. No slot is changed.
 */
export async function passStages(
  slots: readonly Slot[],
  routed: readonly Routed[],
  { folding, turns, joinFor }: StagesContext,
  lastOf: (slot: Slot) => RecordedEvent = slot => lastEventOf(slot, routed),
): Promise<Staged> {
  const { stages } = folding
  const rows: (Row | null)[] = []
  if (stages === undefined) return { rows: slots.map(({ state }) => state ?? null), rollups: [], failed: [] }
  const joined = await joinFor?.(slots, slot => () => lastOf(slot))
  const sums = addUp()
  const failed: StageFailure[] = []
  await turns.over(stages.present === undefined ? 'rollups' : 'present', slots, slot => {
    const last = (): RecordedEvent => lastOf(slot)
    try {
      const refs = refRowsOf(joined?.get(slot))
      const row = slot.state == null ? null : (stages.present?.(slot.state, refs, last) ?? slot.state)
      const contributionsOf = (of: Row | null): readonly Contribution[] =>
        of === null ? [] : (stages.contributions?.(of, last) ?? [])
      const [before, after] = [contributionsOf(slot.stored), contributionsOf(row)]
      for (const one of before) sums.add(slot.tenant, one, -1)
      for (const one of after) sums.add(slot.tenant, one, 1)
      rows.push(row)
    } catch (error) {
      failed.push({ slot, error })
      rows.push(null)
    }
  })
  return { rows, rollups: sums.sums(), failed, ...(joined !== undefined && { joined }) }
}

function refRowsOf(joined: Joined | undefined): RefRows {
  if (joined?.error !== undefined) throw joined.error
  return joined?.rows ?? {}
}

/** A row that no event of the batch touched is made anew by another one, which is found where it fails. */
function lastEventOf(slot: Slot, routed: readonly Routed[]): RecordedEvent {
  const last = routed.find(({ event, slots }) => event.position === slot.position && slots.includes(slot))
  return last?.event ?? unreadEvent
}
