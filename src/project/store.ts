import type { AnyProjection, Column } from '../define/index.ts'
import { type Anchor, origin } from '../log/index.ts'

/**
 * Where views live. A store is told what a projection's rows look like and keeps them in generations, each with its own
 * rows and checkpoints. One contract suite judges every store; the one in memory is the readable specification.
 */
export interface ViewStore {
  /** The name of the technology: `memory`, `postgres`. A `native` query names it. */
  readonly kind: string
  /**
   * Makes the generation of this shape where it is missing, and opens it. A projection whose version, columns or number
   * of shards differ from those of every generation gets a new one, with a number that was never used.
   */
  open(view: ViewShape): Promise<View>
  /** Calls `listener` with the name of a projection when a checkpoint of it may have moved, in whatever process. */
  onMoved(listener: (projection: string) => void): () => void
  close(): Promise<void>
}

/** What a store has to know of a projection. */
export interface ViewShape {
  readonly projection: AnyProjection
  readonly columns: readonly Column[]
}

/** One generation of a view. */
export interface View {
  readonly projection: string
  readonly generation: number
  /** How many shards its keys are divided into, by `shardOf`. */
  readonly shards: number
  /** Takes a shard over: raises its epoch, so that every commit under an older one is refused from now on. */
  claim(shard: number): Promise<Checkpoint>
  /** Where the shard stands, without taking it. */
  checkpoint(shard: number): Promise<Checkpoint>
  /** Where each shard stands, in their order, as one snapshot has it. */
  checkpoints(): Promise<readonly ShardCheckpoint[]>
  /** The documents of those rows that there are, by `rowId`. */
  load(keys: readonly RowKey[]): Promise<ReadonlyMap<string, string>>
  /**
   * Moves the checkpoint and writes the rows, in one transaction in which the checkpoint goes first: where its epoch or
   * position is not the expected one, nothing is written and the answer is `fenced`.
   */
  commit(commit: ViewCommit): Promise<'committed' | 'fenced'>
  /** Rows by key, in order, `null` where there is none; with the checkpoints that the same snapshot holds. */
  get(keys: readonly RowKey[]): Promise<KeyedRead>
  /** Rows in the order of an index, each with its key: a cursor begins behind one. */
  list(scan: Scan): Promise<Read<readonly ListedDoc[]>>
  /**
   * Hands `read` all rows and all checkpoints as one snapshot has them, which lasts as long as `read` does. Whoever reads
   * takes what it needs and ends: an embedded database does nothing else meanwhile.
   */
  snapshot<T>(read: (snapshot: Snapshot) => Promise<T>): Promise<T>
  /** The store's own client, restricted to reading, for `native` queries; `undefined` where it has none. */
  readonly native?: NativeReader
}

export interface NativeReader {
  /** Runs `read` on one snapshot, in which the checkpoint is `asOf`. The client shows the rows of one tenant. */
  run<T>(tenant: string, read: (client: unknown) => Promise<T>): Promise<Read<T>>
}

export interface RowKey {
  readonly tenant: string
  readonly key: string
}

/** One string for a row key: neither part can hold the separator. */
export const rowId = ({ tenant, key }: RowKey): string => `${tenant}\u0000${key}`

export interface Checkpoint extends Anchor {
  readonly epoch: number
}

export interface ViewCommit {
  readonly shard: number
  readonly epoch: number
  readonly from: Anchor
  readonly to: Anchor
  readonly upserts: readonly Upsert[]
  readonly deletes: readonly RowKey[]
}

export interface Upsert extends RowKey {
  /** Of the last event that touched the row. */
  readonly position: number
  readonly row: Readonly<Record<string, unknown>>
  /** `row` as JSON: what `load`, `get` and `list` answer, to the byte. */
  readonly doc: string
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
}

/** The checkpoint that is furthest behind. */
export function lowestOf([first, ...others]: readonly Anchor[]): Anchor {
  const lowest = others.reduce((low, next) => (next.position < low.position ? next : low), first ?? origin)
  return { position: lowest.position, fingerprint: lowest.fingerprint }
}

/** A generation as it is at one moment. */
export interface Snapshot {
  /** Of every shard, in the order of their numbers. A view's rows are those that its events up to here make. */
  readonly checkpoints: readonly ShardCheckpoint[]
  /** All rows, tenant by tenant and key by key in the order of `compareText`, a bounded number at a time. Can be read once. */
  readonly pages: AsyncIterable<readonly StoredRow[]>
}

export interface ShardCheckpoint extends Checkpoint {
  readonly shard: number
}

export interface StoredRow extends RowKey {
  readonly position: number
  readonly doc: string
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
