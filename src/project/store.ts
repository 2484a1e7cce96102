import type { AnyProjection, Column, Position } from '../define/index.ts'
import { type Anchor, origin } from '../log/index.ts'
import type { DeadLetters, Letter, Parking, Skip, Standing } from './dead-letters.ts'
import type { ActivateOptions, Activation, Dropping, Generation, LoadProgress } from './generations.ts'
import type { Beat, Holdings } from './leases.ts'
import type { JoinableView, PastRow, RefShape } from './referred.ts'
import type { RollupReads, RollupSum, StoredSum } from './rollup-store.ts'
import type { Failure } from './status.ts'
import type { ViewInAppend } from './view-in-append.ts'

/**
 * Where views live. A store is told what a projection's rows look like and keeps them in generations, each with its own
 * rows and checkpoints. One contract suite judges every store; the one in memory is the readable specification.
 */
export interface ViewStore {
  /** The name of the technology: `memory`, `postgres`. A `native` query names it. */
  readonly kind: string
  /**
   * Opens the newest generation of this shape, and makes one where there is none: a projection whose version, columns,
   * stages or number of shards differ from those of every generation gets a new one, with a number that was never used.
   * The first one of a projection serves at once; a later one when it is activated.
   *
   * @param generation opens this one, whose rows have the shape's columns, and makes none.
   * @throws `project/generation-dropped` where the store does not have it any more.
   */
  open(view: ViewShape, generation?: number): Promise<View>
  /**
   * A generation as it is: nothing is made by it, no index either. For whoever looks at a view or operates on it, by whatever
   * definition, and does not carry it on.
   * @throws `project/generation-dropped` where the store does not have it.
   */
  find(view: ViewShape, generation: number): Promise<View>
  /**
   * Makes one more generation of this shape, beside those that there are.
   *
   * @param newest where it is given, one is made only while no generation of the projection has a higher number: of several
   *   processes that find at once that one is needed, one makes it.
   * @throws `project/rebuild-running` where a generation of the projection has never served: it is being built, or was left; or where
   *   there is a newer one than `newest`.
   */
  rebuild(view: ViewShape, newest?: number): Promise<View>
  /** The numbers of the generations of this shape, the oldest first: those of which `open` opens the newest. */
  known(view: ViewShape): Promise<readonly number[]>
  /**
   * What is left out of rows of a projection, of all or of one, in whatever generation, also in dropped ones: what one that is
   * made now begins with. By tenant, key and position; of one event the reason that was given first.
   */
  skips(projection: string, key?: RowKey): Promise<readonly Skip[]>
  /** The generations of a projection that were not dropped, the oldest first. */
  generations(projection: string): Promise<readonly Generation[]>
  /**
   * The swap: lets another generation serve, if each of its shards has reached the highest one of the generation that
   * serves now. What was promised of the one is then true of the other: no token goes back in time.
   */
  activate(projection: string, generation: number, options?: ActivateOptions): Promise<Activation>
  /**
   * Drops the rows and checkpoints of a generation. Whoever carries it on or reads it meets
   * `project/generation-dropped`; its number is not used again.
   */
  drop(projection: string, generation: number): Promise<Dropping>
  /**
   * Pauses a projection, all of its generations, in whatever process: raises the epochs of their shards, so that nothing is
   * written under one that was taken before this answered. Whoever takes a shard asks `paused` afterwards, and leaves it
   * alone.
   */
  pause(projection: string): Promise<void>
  /** Ends the pause of a projection, if there is one. */
  resume(projection: string): Promise<void>
  /** The projections that are paused. */
  paused(): Promise<ReadonlySet<string>>
  /**
   * Empties a generation, its dead letters included, and sets its checkpoints back to the beginning of the log, in one
   * transaction, under raised epochs: whoever carries it on begins anew, and whoever makes rows with its rows has read them
   * in vain. Skips stay. `unknown`: there is no such
   * generation, or it was dropped.
   */
  reset(projection: string, generation: number): Promise<'reset' | 'unknown'>
  /**
   * Calls `listener` with the name of a projection when its generations, whether it is paused, or who carries it on may
   * have changed, in whatever process (one joined, left, or let go of a shard), and when it was reset.
   */
  onGenerations(listener: (projection: string) => void): () => void
  /** Calls `listener` with the name of a projection when a checkpoint of it may have moved, in whatever process. */
  onMoved(listener: (projection: string) => void): () => void
  /**
   * Says that a process is alive: it counts as a member for `leaseMs`, and every lease that it has is renewed for as long,
   * one that had run out and that nobody took included. All times are of the store's own clock.
   */
  beat(beat: Beat): Promise<Holdings>
  /** Ends a process's membership and gives up its leases: others may take them at once. */
  leave(owner: string): Promise<void>
  close(): Promise<void>
}

/** What a store has to know of a projection. */
export interface ViewShape {
  readonly projection: AnyProjection
  /** Of its rows. */
  readonly columns: readonly Column[]
  /** What the projection makes of events, as `definitionHashOf` tells it. It may warn, and decides nothing. */
  readonly definition: string
  /** What its rows look like: queries may be answered from any generation with the same. */
  readonly rowShape: string
  /** By the name of each rollup, what its sums look like: its queries ask for the same of a generation, too. Default: none. */
  readonly sums?: Readonly<Record<string, string>>
  /** Do other views refer to its rows? A generation that keeps its past serves who does not say so too. Default false. */
  readonly past?: boolean
  /** The references to rows of other views. Default: none. */
  readonly refs?: readonly RefShape[]
  /** Where its rows are apart: in which store of rows, by its kind. Another place makes another generation. Default: not apart. */
  readonly apart?: string
  /** Of its states, where its rows are made of them: these are then stored beside the rows. */
  readonly stateColumns?: readonly Column[]
}

/** One generation of a view. */
export interface View extends JoinableView {
  readonly projection: string
  readonly generation: number
  /** How many shards its keys are divided into, by `shardOf`. */
  readonly shards: number
  /**
   * Are its rows written before the checkpoint, and not with it? Then some may be of events behind it. Commits say of each
   * deleted row that it is no more, whether there was one or not, and write the row of a key that stands still as it stands: what
   * others wrote of it is older than that. Default false.
   */
  readonly mayBeAhead?: boolean
  /**
   * Takes a shard, where nobody holds it, its lease has run out, or `owner` has it already: raises its epoch, so that every
   * commit under an older one is refused from now on, and gives `owner` the lease. `undefined`: another one holds it.
   * @throws `project/generation-dropped`
   */
  take(shard: number, owner: string, leaseMs: number): Promise<Checkpoint | undefined>
  /** Gives the lease up, where `owner` has it and nobody has raised the epoch since. */
  release(shard: number, owner: string, epoch: number): Promise<void>
  /**
   * Raises the epoch of a shard, whoever has its lease: for tools that write by themselves.
   * @throws `project/generation-dropped`
   */
  claim(shard: number): Promise<Checkpoint>
  /** Where the shard stands, without taking it. */
  checkpoint(shard: number): Promise<Checkpoint>
  /** Where each shard stands, in their order, as one snapshot has it. */
  checkpoints(): Promise<readonly ShardCheckpoint[]>
  /** Those rows that there are, by `rowId`; where rows may be ahead, also those that there were. */
  load(keys: readonly RowKey[]): Promise<ReadonlyMap<string, LoadedRow | Tombstone>>
  /**
   * Moves the checkpoint and writes the rows, in one transaction in which the checkpoint goes first: where its epoch or
   * position is not the expected one, nothing is written and the answer is `fenced`. Where there is no room for its dead
   * letters, nothing is written either, and the answer is `full`.
   */
  commit(commit: ViewCommit): Promise<'committed' | 'fenced' | 'full'>
  /**
   * The view within a transaction that appends to the log, of which this is the storage's client. Absent where the store
   * is never in one database with a log. Whether it is with this log, the backend says.
   */
  inAppend?(client: unknown): ViewInAppend
  /**
   * Says that a shard is being loaded in bulk, and how far that is. In a view that holds nothing yet, the making of declared
   * indexes is put off until all shards are loaded. Without effect where the shard is held under another epoch, or is not
   * at its beginning: who was superseded must not hold up a view that others have loaded.
   */
  loading(shard: number, epoch: number, progress: LoadProgress): Promise<void>
  /**
   * Writes the first rows of a shard as fast as the store can, with its checkpoint, in one transaction: under the fence of
   * `commit`, and with its answers. Whoever was stopped in the midst of it holds up nobody who took the shard over.
   *
   * Nothing is kept of what the rows were before its end. So nothing is written, and the answer is `needs-past`, where a
   * view that refers to this one has folded something already: it would never learn of what changed since then.
   */
  bulkLoad(load: BulkLoad): Promise<'committed' | 'fenced' | 'full' | 'needs-past'>
  /** Says that a shard is loaded. Once all of them are, what was put off is done, by one process. May be said again. */
  loaded(shard: number): Promise<void>
  /** What could not be folded into rows. */
  readonly letters: DeadLetters
  /** Rows by key, in order, `null` where there is none; with the checkpoints that the same snapshot holds. */
  get(keys: readonly RowKey[]): Promise<KeyedRead>
  /** Rows in the order of an index, each with its key: a cursor begins behind one. */
  list(scan: Scan): Promise<Read<readonly ListedDoc[]>>
  /** Sums over its rows. */
  readonly rollups: RollupReads
  /**
   * Hands `read` all rows and all checkpoints as one snapshot has them, which lasts as long as `read` does. Whoever reads
   * takes what it needs and ends: an embedded database does nothing else meanwhile.
   */
  snapshot<T>(read: (snapshot: Snapshot) => Promise<T>): Promise<T>
  /** The store's own client, restricted to reading, for `native` queries; `undefined` where it has none. */
  readonly native?: NativeReader
}

export interface NativeReader {
  /**
   * Runs `read` on one snapshot, in which the checkpoint is `asOf`. The client shows the rows of one tenant.
   *
   * @param serving the generation of each view that `read` asks, by the name of its projection.
   */
  run<T>(tenant: string, serving: ReadonlyMap<string, number>, read: (client: unknown) => Promise<T>): Promise<Read<T>>
}

export interface RowKey {
  readonly tenant: string
  readonly key: string
}

/** One string for a row key: neither part can hold the separator. */
export const rowId = ({ tenant, key }: RowKey): string => `${tenant}\u0000${key}`

export interface Checkpoint extends Anchor {
  readonly epoch: number
  /** What the last commit that stayed at this position left here. */
  readonly cursor?: string
}

export interface ViewCommit {
  readonly shard: number
  readonly epoch: number
  readonly from: Anchor
  readonly to: Anchor
  readonly upserts: readonly Upsert[]
  readonly deletes: readonly DeletedRow[]
  /** As of which position the rows are. Default: that of `to`. */
  readonly madeAt?: Position
  /**
   * Runs in the same transaction once the checkpoint has been moved in it, with the store's own client; what it throws
   * undoes both. Only where the projection is written for this kind of store.
   */
  readonly within?: (client: unknown) => Promise<void>
  /** What becomes of events that cannot be folded. Absent: nothing. */
  readonly parking?: Parking
  /**
   * Where the view keeps its past: what rows were before each event up to `to` that changed them, and late changes. An entry
   * takes the place of one that the same row has at the same position.
   */
  readonly past?: readonly PastRow[]
  /** Where `to` is `from`: how far a part of the next move has come, which the checkpoint keeps until it moves. */
  readonly cursor?: string
  /** To be added to the shard's sums, each of them once; a sum to which no row adds any more goes. Default none. */
  readonly rollups?: readonly RollupSum[]
}

/** What folds and the stages after them go on from. */
export interface LoadedRow {
  /** Of the last event that is in it. Events of its key up to there are not folded into it once more. */
  readonly position: number
  readonly doc: string
  /** The state, as JSON, where the shape has one of its own. */
  readonly state?: string
  /** As of which position it is, where rows may be ahead of the checkpoint. */
  readonly madeAt?: Position
}

/** Where there is no row any more: it was deleted by the event at `position`. */
export interface Tombstone extends Omit<LoadedRow, 'doc' | 'state'> {
  readonly doc: null
  readonly state?: undefined
}

export interface BulkLoad extends Omit<ViewCommit, 'upserts' | 'deletes' | 'rollups' | 'madeAt'> {
  /** Rows that the view does not have, a bounded number at a time. Read once. */
  readonly pages: AsyncIterable<readonly Upsert[]>
  /** Where rows may be ahead: rows that are no more, which an earlier load may have left; asked for once, after the last page. */
  readonly deletes?: () => readonly DeletedRow[]
  /** What the rows add up to; asked for once, after the last page. */
  readonly rollups?: () => readonly RollupSum[]
  /**
   * Lets others have their turn: called between pages, when those before are written, by a store in which writing keeps
   * nobody else out meanwhile. Absent where all may be written at a stretch.
   */
  readonly rest?: () => Promise<void>
}

interface WrittenRow extends RowKey {
  /** Of a key that stands still: as of which position. Default: that of the commit. */
  readonly madeAt?: Position
}

export interface Upsert extends WrittenRow {
  /** Of the last event that is in the row. It stays what it is where another view's row made this one new. */
  readonly position: number
  readonly row: Readonly<Record<string, unknown>>
  /** `row` as JSON: what `load`, `get` and `list` answer, to the byte. */
  readonly doc: string
  /** The keys that the row refers to, by the names of the references. */
  readonly refs?: Readonly<Record<string, string | null>>
  /** The state that the row was made of, as JSON, where the shape has one of its own. */
  readonly state?: string
}

/** A row that is no more, whether there was one or not. */
export interface DeletedRow extends WrittenRow {
  /** Of the last event of its key. */
  readonly position: number
}

export interface Read<T> {
  readonly value: T
  /** The view contains every event up to here: it is the checkpoint of its lowest shard. */
  readonly asOf: Anchor
}

/** What was read by key: each row is as its own shard is, which may be ahead of the lowest. */
export interface KeyedRead extends Read<readonly (string | null)[]> {
  /** The checkpoint of each shard, in their order. */
  readonly shards: readonly Anchor[]
  /** Those of the keys that are parked, as of the same snapshot: their rows lack this event and later ones. Absent: none. */
  readonly parked?: readonly Letter[]
}

/** The checkpoint that is furthest behind. */
export function lowestOf([first, ...others]: readonly Anchor[]): Anchor {
  const lowest = others.reduce((low, next) => (next.position < low.position ? next : low), first ?? origin)
  return { position: lowest.position, fingerprint: lowest.fingerprint }
}

/** A generation as it is at one moment. */
export interface Snapshot {
  /** Every parked key with the event at which it stands, and every skip: what the rows are made without. */
  readonly parked: readonly Standing[]
  readonly skips: readonly Letter[]
  /** Of every shard, in the order of their numbers. A view's rows are those that its events up to here make. */
  readonly checkpoints: readonly ShardCheckpoint[]
  /** All rows, tenant by tenant and key by key in the order of `compareText`, a bounded number at a time. Can be read once. */
  readonly pages: AsyncIterable<readonly StoredRow[]>
  /** The sums of all rollups: by rollup, tenant, group and name in the order of `compareText`, and then by shard. */
  readonly sums: AsyncIterable<readonly StoredSum[]>
}

export interface ShardCheckpoint extends Checkpoint {
  readonly shard: number
  /** How many of its keys are parked. Absent: none. */
  readonly parked?: number
  /** What stops it, as the process that holds it said when it last beat. Absent: nothing, or nobody holds it. */
  readonly failure?: Failure
}

export interface StoredRow extends RowKey {
  readonly position: number
  readonly doc: string
  readonly state?: string
  /** The keys that it is found by when a row changes that it is made with; its shard, where that is kept with it. */
  readonly refs?: Readonly<Record<string, string | null>>
  readonly shard?: number
  /** The columns whose value is not the document's. Queries along an index would miss such a row, or find it in a wrong place. */
  readonly differing: readonly string[]
}

export interface ListedDoc {
  readonly key: string
  readonly doc: string
}

/** A range of rows in the order of an index, whose last column is followed by the row's key. */
export interface Scan {
  readonly tenant: string
  readonly index: readonly string[]
  /** Values of the first columns of the index. */
  readonly equal: readonly Scalar[]
  /** Bounds on the column after them. */
  readonly range: { readonly gt?: Scalar; readonly gte?: Scalar; readonly lt?: Scalar; readonly lte?: Scalar }
  readonly order: 'asc' | 'desc'
  /** Begin behind this row: its values of the index's columns, and its key. */
  readonly after?: { readonly values: readonly Scalar[]; readonly key: string }
  readonly limit: number
}

export type Scalar = string | number | boolean
