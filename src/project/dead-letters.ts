import type { Position } from '../define/index.ts'
import type { RowKey } from './store.ts'

/** An event that is not in the row of a key, by its position: never by its data, which erasure and upcasting must reach. */
export interface Letter extends RowKey {
  readonly position: Position
}

/** A parked key, as folds and verification have to know it. */
export interface Standing extends Letter {
  /**
   * Its row is made with rows of other views as of this position. Absent: of no one position, or with none: what its row is
   * made of follows from its events alone.
   */
  readonly refsAt?: Position
}

/**
 * A key that stands still, because its fold failed at an event, or its row could not be made when one changed to which it
 * refers. Its later events wait behind that one, in order.
 */
export interface ParkedKey extends Standing {
  /** Of the error, as in the catalogue. */
  readonly code: string
  readonly message: string
  /** Where it was thrown: frames alone, since what an error says of itself may hold what users stored. */
  readonly stack?: string
  /** How often this event was tried before the key was parked. */
  readonly attempts: number
  /** When the key was parked first, ISO 8601. For people. */
  readonly since: string
}

/** A parked key as it is listed, with the number of its events that wait. */
export interface ListedKey extends ParkedKey {
  readonly shard: number
  readonly events: number
}

/** An event that is left out of a row by decision. It is an input of every later fold of that row. */
export interface Skip extends Letter {
  readonly reason: string
  /** ISO 8601. */
  readonly at: string
}

/** What is to be done with a parked key by whoever holds its shard. */
export type LetterRequest = Letter &
  (
    | { readonly action: 'retry' }
    /** Only where `position` still is the event at which the key stands: it was meant for no other. */
    | { readonly action: 'skip'; readonly reason: string }
  )

/** A retry is the same at whatever event the key stands; a skip is of one event, for one reason. */
export function isSameRequest(one: LetterRequest, other: LetterRequest): boolean {
  if (one.action === 'retry' || other.action === 'retry') return one.action === other.action
  return one.position === other.position && one.reason === other.reason
}

/** What became of asking. */
export interface Requested {
  /** For how many keys it is asked. Of all keys, those too of which something is asked for already, which stays as it is. */
  readonly keys: number
  /** What is asked for of the key already, and is something else: it stays, and nothing more is asked. */
  readonly pending?: LetterRequest
}

/** What a commit does with dead letters, in the same transaction as checkpoint and rows. */
export interface Parking {
  /** Keys that stand still from now on; or go on to, at another event or with another error. */
  readonly parked: readonly ParkedKey[]
  /**
   * Their events of this commit, that at which a key stands included; and events of keys that were parked before. One that is
   * there already is no other one.
   */
  readonly letters: readonly Letter[]
  /** The letters of a key up to a position are in its row, or skipped, and go. A key of these that is not in `parked` is free. */
  readonly drained: readonly Letter[]
  readonly skipped: readonly Skip[]
  /** Keys whose request is carried out, whatever came of it. */
  readonly answered: readonly RowKey[]
  /** How many letters the generation may have after this. With more, nothing is written and the answer is `full`. */
  readonly maxEvents: number
}

/** The dead letters of one generation. They are written by `View.commit` alone, under its fence; only requests are not. */
export interface DeadLetters {
  /** What the holder of a shard has to know: each parked key with the event at which it stands, and the skips of its keys. */
  held(shard: number): Promise<{ readonly parked: readonly Letter[]; readonly skips: readonly Letter[] }>
  /** Parked keys, by tenant and key in the order of `compareText`, behind `after`. */
  list(options: { readonly after?: RowKey; readonly limit: number }): Promise<readonly ListedKey[]>
  find(key: RowKey): Promise<ListedKey | undefined>
  /** The events of a key that wait behind a position, in order. */
  positions(key: RowKey, after: Position, limit: number): Promise<readonly Position[]>
  /**
   * Asks whoever holds the shard to do something with a key, or to retry all keys: none where the key is not parked. What
   * is asked for already stays until it is carried out: a decision that somebody made is not lost by another one.
   */
  request(request: LetterRequest | 'retry-all'): Promise<Requested>
  /** What is asked of the holder of a shard, by tenant and key. */
  requests(shard: number, limit: number): Promise<readonly LetterRequest[]>
  /** How many requests are not carried out yet: of one key, or of all. */
  openRequests(key?: RowKey): Promise<number>
  /** The skips of the generation, all or those of a key, by tenant, key and position. One that is made takes over those of all. */
  skips(key?: RowKey): Promise<readonly Skip[]>
}
