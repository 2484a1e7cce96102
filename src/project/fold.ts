import { BifoldError, type Position, type RecordedEvent } from '../define/index.ts'
import type { Aside } from './aside.ts'
import { makeRowCheck, type Row } from './encode-row.ts'
import { foldedAt } from './folded-at.ts'
import { type FoldFailure, type KeysOf, makeKeysOf } from './keys-of.ts'
import { makeStages, type Stages } from './stages.ts'
import type { LoadedRow, RowKey, ViewShape } from './store.ts'
import { thrown } from './thrown.ts'
import type { Turns } from './turns.ts'

/** What this process knows of a row. */
export interface Slot extends RowKey {
  /** What is folded, as far as it was. `null`: there is no such row. `undefined`: it was not loaded yet. */
  state: Row | null | undefined
  /** The row as it is stored, or as it will be when the batches so far are; known where the state is. */
  stored: Row | null
  /** Of the last event that is in it; 0 where none is, and where it was not loaded yet. */
  position: number
  /** Where rows may be ahead of the checkpoint: as what it was loaded. */
  loaded?: Pick<LoadedRow, 'position' | 'madeAt'>
}

/** Was an event folded into it since the checkpoint was at `from`, and here? */
export function isFolded({ position, loaded }: Slot, from: Position): boolean {
  return position > from && position !== loaded?.position
}

/** Is it as of a later position than `to` already, so that nothing up to there concerns it? */
export function isAhead({ loaded }: Slot, to: Position): boolean {
  return (loaded?.madeAt ?? 0) > to
}

/** An event, and the rows that it touches. */
export interface Routed {
  readonly event: RecordedEvent
  readonly slots: readonly Slot[]
}

/** A projection's folds, pure: all that they need is handed to them, and the states of their slots are all that they change. */
export interface Folding {
  /** Finds the rows that each event touches, of those that `isOwn` names, up to the first event whose `key` fails. */
  route(
    events: readonly RecordedEvent[],
    slotOf: (tenant: string, key: string) => Slot,
    turns: Turns,
    isOwn?: (row: RowKey) => boolean,
  ): Promise<{ readonly routed: readonly Routed[]; readonly failure?: FoldFailure }>
  /**
   * Folds events in order, each of their keys by itself, where `aside` admits it and it is not in the row already. A key whose
   * fold fails is told to it, and its state stays as it was before that event; all others go on.
   */
  fold(routed: readonly Routed[], aside: Aside): void
  /** What comes after folding; absent where the states are the rows, and there are no sums over them. */
  readonly stages?: Stages
}

/**
 * @param shard folds the rows of this shard alone, as if an event touched no other. Default: of all shards.
 * @param keysOf the keys of events, divided by the projection's shards where there is one `shard`. Foldings of several shards
 *   have it in common, so that a page is divided once.
 */
export function makeFolding(
  shape: ViewShape,
  shard?: number,
  keysOf: KeysOf = makeKeysOf(shape.projection, shard === undefined ? 1 : shape.projection.shards),
): Folding {
  const { projection, columns, stateColumns } = shape
  const { name, on, state: schema } = projection
  const own = shard ?? 0
  const stages = makeStages(shape)
  const checkState = makeRowCheck({
    giver: 'a fold',
    stage: 'state',
    schema,
    columns: stateColumns ?? columns,
    indexes: stateColumns === undefined ? projection.indexes : [],
  })
  const at = (event: RecordedEvent) => foldedAt(name, event)

  function foldState(before: Row | null, event: RecordedEvent, key: string): Row | null {
    let folded: unknown
    try {
      folded = on[event.type]?.(before, event, key)
    } catch (cause) {
      throw new BifoldError('project/fold-failed', { ...at(event), ...thrown(cause) }, { cause })
    }
    if (folded === null) return null
    const checked = checkState(folded)
    if (checked.issues !== undefined) {
      throw new BifoldError('project/invalid-row', { ...at(event), issues: checked.issues })
    }
    return checked.row
  }

  function foldEvent({ event, slots }: Routed, aside: Aside): void {
    for (const slot of slots) {
      if (!aside.admits(slot, event.position) || event.position <= slot.position) continue
      try {
        slot.state = foldState(slot.state ?? null, event, slot.key)
        slot.position = event.position
      } catch (error) {
        aside.fail(slot, event, error)
      }
    }
  }

  return {
    ...(stages !== undefined && { stages }),
    route: async (events, slotOf, turns, isOwn) => {
      const { byShard, failure } = await keysOf(events, turns)
      const routed: Routed[] = []
      for (const { event, keys } of byShard[own] ?? []) {
        const { tenant } = event
        const named = isOwn === undefined ? keys : keys.filter(key => isOwn({ tenant, key }))
        if (named.length > 0) routed.push({ event, slots: named.map(key => slotOf(tenant, key)) })
      }
      return { routed, ...(failure !== undefined && { failure }) }
    },
    fold: (routed, aside) => {
      for (const one of routed) foldEvent(one, aside)
    },
  }
}
