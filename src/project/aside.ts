import { BifoldError, type Position, type RecordedEvent } from '../define/index.ts'
import type { Letter } from './dead-letters.ts'
import { type RowKey, rowId } from './store.ts'
import { thrown } from './thrown.ts'

/** A key that cannot be folded on, where it stands, and a `project/…` error that names an event. */
export interface KeyFailure extends Letter {
  /** The one at its position; of a change that counts late, the one before that was passed last. */
  readonly event: RecordedEvent
  readonly error: BifoldError
  /** Where its row is made with rows of other views: these are as of this position. Absent: of no one position. */
  readonly refsAt?: Position
}

/** What was kept out of rows. */
export interface SetAside {
  /** Keys that stand still from now on, in the order in which they failed. */
  readonly failures: readonly KeyFailure[]
  /**
   * Every event that belongs to a parked key, that at which it failed included; each key's in order. Where a row failed that
   * it refers to, that is an event of another key.
   */
  readonly letters: readonly Letter[]
}

/**
 * Decides event by event what is folded into a row: none of a parked key, none that is skipped, and none of a key after one
 * on which it failed. Pure: it knows what it was given and what it was told. Whoever folds live, rebuilds, retries or
 * verifies asks the same question here.
 */
export interface Aside {
  /** May this event be folded into this row? One that waits behind others of its key is remembered as a letter. */
  admits(row: RowKey, position: Position): boolean
  /** This key fails at this event, and stands still from here on. @param position where there is no event yet. */
  fail(row: RowKey, event: RecordedEvent, error: unknown, position?: Position): void
  /** Where a key stands still; `undefined`: it does not. */
  standsAt(row: RowKey): Position | undefined
  /** Forgets what was set aside of this key since it was last taken, to fold its events again. */
  undo(row: RowKey): void
  /** Keys that have failed since it was last taken. */
  failures(): readonly KeyFailure[]
  /** What was set aside since it was last taken; `undefined` where nothing was. */
  take(): SetAside | undefined
  /** This key is folded on: what waited of it is in its row, or skipped. */
  free(row: RowKey): void
  /** How many keys stand still. */
  parkedKeys(): number
}

/** What is known when folding begins: parked keys, each with the event at which it stands, and events that are skipped. */
export interface KnownLetters {
  readonly parked?: readonly Letter[]
  readonly skips?: readonly Letter[]
}

export function makeAside(projection: string, { parked = [], skips = [] }: KnownLetters = {}): Aside {
  const standing = new Map(parked.map(letter => [rowId(letter), letter.position]))
  const skipped = new Set(skips.map(letterId))
  let failures: KeyFailure[] = []
  let letters: Letter[] = []
  const wait = ({ tenant, key }: RowKey, position: Position): void => {
    letters.push({ tenant, key, position })
  }
  return {
    admits: (row, position) => {
      // Nearly always there is nothing that could keep an event out, and this is asked for each.
      if (standing.size === 0 && skipped.size === 0) return true
      const from = standing.get(rowId(row))
      if (from !== undefined && position >= from) {
        wait(row, position)
        return false
      }
      return !skipped.has(letterId({ ...row, position }))
    },
    fail: (row, event, error, position = event.position) => {
      const { tenant, key } = row
      standing.set(rowId(row), position)
      failures.push({ tenant, key, position, event, error: codedOf(projection, event, error) })
      wait(row, position)
    },
    standsAt: row => standing.get(rowId(row)),
    undo: row => {
      const id = rowId(row)
      if (failures.some(failure => rowId(failure) === id)) standing.delete(id)
      failures = failures.filter(failure => rowId(failure) !== id)
      letters = letters.filter(letter => rowId(letter) !== id)
    },
    failures: () => failures,
    take: () => {
      if (letters.length === 0) return undefined
      const taken = { failures, letters }
      failures = []
      letters = []
      return taken
    },
    free: row => {
      standing.delete(rowId(row))
    },
    parkedKeys: () => standing.size,
  }
}

function letterId(letter: Letter): string {
  return `${rowId(letter)}\u0000${letter.position}`
}

/** A schema of the user's may throw where it should refuse. */
function codedOf(projection: string, { position, type, id }: RecordedEvent, error: unknown): BifoldError {
  if (error instanceof BifoldError) return error
  const at = { projection, position, type, eventId: id }
  return new BifoldError('project/fold-failed', { ...at, ...thrown(error) }, { cause: error })
}
