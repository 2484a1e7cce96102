import { BifoldError, type RecordedEvent } from '../define/index.ts'
import { makeRowCheck, type Row, textProblem } from './encode-row.ts'
import { shardOf } from './shard-of.ts'
import type { RowKey, ViewShape } from './store.ts'

/** A row in this process: as it is stored, or as it will be when what was folded so far is. */
export interface Slot extends RowKey {
  /** `null`: there is no such row. `undefined`: it was not loaded yet. */
  row: Row | null | undefined
  /** Of the last event that was folded into it here; 0 where there was none. */
  position: number
}

/** An event, and the rows that it touches. */
export interface Routed {
  readonly event: RecordedEvent
  readonly slots: readonly Slot[]
}

/** Why a batch could not go on: the event at which it stands, and a `project/…` error that names it. */
export interface FoldFailure {
  readonly event: RecordedEvent
  readonly error: BifoldError
}

/** A projection's folds, pure: all that they need is handed to them, and the rows of their slots are all that they change. */
export interface Folding {
  /** Finds the rows that each event touches, up to the first event whose `key` fails. */
  route(
    events: readonly RecordedEvent[],
    slotOf: (tenant: string, key: string) => Slot,
  ): { readonly routed: readonly Routed[]; readonly failure?: FoldFailure }
  /** Folds events in order, up to the first one that fails; of that one, no row is changed. */
  fold(routed: readonly Routed[]): FoldFailure | undefined
}

/** A key may have this many bytes of UTF-8: it is part of every index of its view. */
const maxKeyBytes = 512

/** @param shard folds the rows of this shard alone, as if an event touched no other. Default: of all shards. */
export function makeFolding({ projection, columns }: ViewShape, shard?: number): Folding {
  const { name, key: keyOf, on, shards } = projection
  const isWhole = shards === 1 || shard === undefined
  const checkRow = makeRowCheck(projection, columns)
  const at = ({ position, type, id }: RecordedEvent) => ({ projection: name, position, type, eventId: id })

  function keysOf(event: RecordedEvent): readonly string[] {
    if (keyOf === 'stream') return [event.streamId]
    let answer: unknown
    try {
      answer = keyOf[event.type]?.(event) ?? null
    } catch (cause) {
      throw new BifoldError('project/fold-failed', { ...at(event), part: 'key', ...thrown(cause) }, { cause })
    }
    if (answer === null) return []
    const keys: readonly unknown[] = Array.isArray(answer) ? [...new Set(answer)] : [answer]
    for (const key of keys) {
      const problem = keyProblem(key)
      if (problem !== undefined) throw new BifoldError('project/invalid-key', { ...at(event), problem })
    }
    return keys as readonly string[]
  }

  function foldRow(before: Row | null, event: RecordedEvent, key: string): Row | null {
    let folded: unknown
    try {
      folded = on[event.type]?.(before, event, key)
    } catch (cause) {
      throw new BifoldError('project/fold-failed', { ...at(event), part: 'on', ...thrown(cause) }, { cause })
    }
    if (folded === null) return null
    const checked = checkRow(folded)
    if (checked.issues !== undefined) {
      throw new BifoldError('project/invalid-row', { ...at(event), issues: checked.issues })
    }
    return checked.row
  }

  function foldEvent({ event, slots }: Routed): void {
    const only = slots.length === 1 ? slots[0] : undefined
    if (only !== undefined) {
      only.row = foldRow(only.row ?? null, event, only.key)
      only.position = event.position
      return
    }
    // All rows first, then all changes: an event that fails on its second key has not touched its first.
    const rows = slots.map(slot => foldRow(slot.row ?? null, event, slot.key))
    for (const [n, slot] of slots.entries()) {
      slot.row = rows[n] ?? null
      slot.position = event.position
    }
  }

  return {
    route: (events, slotOf) => {
      const routed: Routed[] = []
      for (const event of events) {
        if (on[event.type] === undefined) continue
        try {
          const keys = keysOf(event)
          const own = isWhole ? keys : keys.filter(key => shardOf({ tenant: event.tenant, key }, shards) === shard)
          if (own.length > 0) routed.push({ event, slots: own.map(key => slotOf(event.tenant, key)) })
        } catch (error) {
          return { routed, failure: { event, error: error as BifoldError } }
        }
      }
      return { routed }
    },
    fold: routed => {
      for (const one of routed) {
        try {
          foldEvent(one)
        } catch (error) {
          return { event: one.event, error: error as BifoldError }
        }
      }
      return undefined
    },
  }
}

function keyProblem(key: unknown): string | undefined {
  if (typeof key !== 'string') return `it must be text, several in an array, or null, not ${typeof key}`
  if (key === '') return 'it is empty'
  if (key.length * 3 > maxKeyBytes && Buffer.byteLength(key) > maxKeyBytes)
    return `it has more than ${maxKeyBytes} bytes`
  return textProblem(key)
}

/** What was thrown, and where, without its message: that may quote the event. */
function thrown(error: unknown): { readonly error: string; readonly source?: string } {
  if (!(error instanceof Error)) return { error: `a ${typeof error}` }
  const source = /^\s+at (.+)$/m.exec(error.stack ?? '')?.[1]
  return source === undefined ? { error: error.name } : { error: error.name, source }
}
