import type { Position } from '../define/index.ts'
import type { Anchor } from '../log/index.ts'
import type { RowKey } from './store.ts'

/** What a store has to know of a reference to the rows of another view. */
export interface RefShape {
  readonly name: string
  /** Names the shape of the view that it leads to. Another one makes other rows, so that these need a generation too. */
  readonly to: string
}

/** What a row was before an event changed it. */
export interface PastRow extends RowKey {
  /** The event that changed it; of a late change, where that begins to count. */
  readonly position: Position
  /** Of that event; `''` of a late change, since there may be no event at its position yet. */
  readonly fingerprint: string
  /** `null`: there was none. */
  readonly doc: string | null
}

/** A row that an event changed. */
export type ChangedRow = Omit<PastRow, 'doc'>

/** What changed in a view that others refer to. */
export interface Changes {
  /** The view contains every event up to here: it is the checkpoint of its lowest shard. */
  readonly asOf: Anchor
  /**
   * In the order of their positions, up to `asOf`. As many as were asked for at least say that there may be more; those of
   * one event are never divided.
   */
  readonly changed: readonly ChangedRow[]
  /** The lowest checkpoint of those shards that have parked keys: their rows may change late. Absent: none has any. */
  readonly heldAt?: Anchor
  /** As of positions before this one it is no longer known what every row was. 0: all is known. It never goes back. */
  readonly pastFrom: Position
}

export interface ChangesQuery {
  readonly after: Position
  readonly through: Position
  readonly limit: number
}

export interface DependentsQuery {
  readonly shard: number
  /** By the name of which reference. */
  readonly ref: string
  /** Of the rows referred to. A row refers to rows of its own tenant. */
  readonly keys: readonly RowKey[]
  /** Begin behind this one, among those that refer to the first of `keys`. */
  readonly after?: string
  readonly limit: number
}

/** A row that refers to another view's row. */
export interface Dependent extends RowKey {
  /** To which of the keys that were asked for. */
  readonly of: number
}

/**
 * What a generation of a view does for joins. As one that is referred to, it keeps what its rows were until all that refer to
 * it have passed the changes. As one that refers, it finds its rows by what they refer to.
 */
export interface JoinableView {
  /** Is it one that others may refer to? Then commits hand it `past`. */
  readonly keepsPast: boolean
  /**
   * The documents of those rows that there were when the view was as of `position`, by `rowId`: exact for every position up
   * to its checkpoint, and down to `pastFrom` of its changes. As of an earlier one each row is as of the earliest position at
   * which it still is known, which is not the same for all: whoever wants rows that are of one position asks for none before.
   */
  asOf(keys: readonly RowKey[], position: Position): Promise<ReadonlyMap<string, string>>
  /** Which rows changed, with the checkpoint, as one snapshot has them. */
  changes(query: ChangesQuery): Promise<Changes>
  /**
   * Says that this generation's rows are made with those of `to`, which from now on keeps what it still has of its past for
   * every shard of this one. They are made with one generation of a projection: answers which, the first one that was named.
   * @throws `project/generation-dropped`
   */
  refer(to: { readonly projection: string; readonly generation: number }): Promise<number>
  /** With which generation of a projection its rows are made; `undefined` where none was named. */
  refersTo(projection: string): Promise<number | undefined>
  /** The rows of a shard that refer to one of the keys: in the order of `keys`, and then in that of `compareText`. */
  dependents(query: DependentsQuery): Promise<readonly Dependent[]>
  /**
   * Lets go of at most `limit` entries of the past that all that refer to this generation have passed. Answers how many went.
   */
  prune(limit: number): Promise<number>
}
