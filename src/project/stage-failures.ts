import type { Position, RecordedEvent } from '../define/index.ts'
import type { Aside } from './aside.ts'
import type { Folding, Routed, Slot } from './fold.ts'
import { foldInTurns } from './fold-in-turns.ts'
import { unreadEvent } from './folded-at.ts'
import type { JoinedRows } from './join.ts'
import { passStages, type StageFailure, type StagesContext } from './pass-stages.ts'

/** As much of a slot as folding changes. */
export type Folded = Pick<Slot, 'state' | 'position'>

export function asFolded({ state, position }: Slot): Folded {
  return { state, position }
}

export interface StandContext extends Omit<StagesContext, 'joinFor'> {
  readonly folding: Pick<Folding, 'fold' | 'stages'>
  readonly aside: Aside
  /** The slot as it was before the batch. */
  readonly before: Folded | undefined
  readonly routed: readonly Routed[]
  /** The end of the batch. */
  readonly to: Position
  readonly join?: JoinedRows
}

/**
 * Goes through a batch again for one key, with the row made after each event that touched it, its own and those that changed
 * rows to which it refers, since rows are made once for a whole batch: so it is known at which one it cannot be made. There
 * the key stands still, and its slot is as before that event.
 */
export async function standWhereStagesFail({ slot, error }: StageFailure, context: StandContext): Promise<void> {
  const { aside, before, to, join } = context
  const events = eventsOf(slot, context)
  aside.undo(slot)
  Object.assign(slot, before)
  const own = events.values()
  let event = own.next().value
  for (let at = 0; ; ) {
    const change = join?.changesOf(slot, to).find(position => position > at) ?? Number.POSITIVE_INFINITY
    at = Math.min(event?.position ?? Number.POSITIVE_INFINITY, change)
    if (at === Number.POSITIVE_INFINITY) break
    const last = asFolded(slot)
    const folded = event?.position === at ? event : undefined
    if (folded !== undefined) {
      await foldInTurns([{ event: folded, slots: [slot] }], context)
      event = own.next().value
    }
    if (aside.standsAt(slot) !== undefined || (slot.position !== at && change !== at)) continue
    const failed = await failureAt(slot, at, folded, context)
    if (failed === undefined) continue
    Object.assign(slot, last)
    aside.fail(slot, failed.event, failed.error, at)
  }
  if (aside.standsAt(slot) === undefined) await standBeforeAll({ slot, error }, context)
}

/** Where a row fails for a whole batch and for none of its parts, none of them is taken. */
export async function standBeforeAll({ slot, error }: StageFailure, context: StandContext): Promise<void> {
  const { aside, before, to, join } = context
  const events = eventsOf(slot, context)
  aside.undo(slot)
  Object.assign(slot, before)
  const [change = Number.POSITIVE_INFINITY] = join?.changesOf(slot, to) ?? []
  const own = events.find(({ position }) => position <= change)
  const at = own?.position ?? change
  aside.fail(slot, own ?? (await join?.eventAt(at)) ?? unreadEvent, error, at)
  for (const { position } of events) if (position > at) aside.admits(slot, position)
}

function eventsOf(slot: Slot, { routed }: StandContext): readonly RecordedEvent[] {
  return routed.filter(({ slots }) => slots.includes(slot)).map(({ event }) => event)
}

/** What making the row as of a position throws. Which event is to blame is read only where it does. */
async function failureAt(
  slot: Slot,
  at: Position,
  folded: RecordedEvent | undefined,
  { folding, turns, join }: StandContext,
): Promise<{ readonly event: RecordedEvent; readonly error: unknown } | undefined> {
  const stages = {
    ...{ folding, turns },
    ...(join !== undefined && {
      joinFor: (slots: readonly Slot[], lastOf: Parameters<JoinedRows['rowsFor']>[2]) =>
        join.rowsFor(slots, at, lastOf),
    }),
  }
  const failedBy = async (event: RecordedEvent) => (await passStages([slot], [], stages, () => event)).failed[0]
  const failed = await failedBy(folded ?? unreadEvent)
  if (failed === undefined) return undefined
  if (folded !== undefined || join === undefined) return { event: folded ?? unreadEvent, error: failed.error }
  const event = await join.eventAt(at)
  return { event, error: (await failedBy(event))?.error ?? failed.error }
}
