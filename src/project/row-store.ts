import type { Position } from '../define/index.ts'
import type { Dependent, DependentsQuery } from './referred.ts'
import type {
  DeletedRow,
  ListedDoc,
  LoadedRow,
  RowKey,
  Scan,
  StoredRow,
  Tombstone,
  Upsert,
  ViewShape,
} from './store.ts'

/**
 * Keeps rows, and nothing else, in a database that cannot commit them together with a checkpoint: each write is by itself, at
 * any time, in any order. `rowsApart` makes a store of views of it. One contract suite judges every one; the one in memory is
 * the readable specification.
 */
export interface RowStore {
  /** The name of the technology. */
  readonly kind: string
  /** The rows of a generation, of the shape's columns. Makes room for them where there is none. */
  open(view: ViewShape, generation: number): Promise<Rows>
  /** The generations of a projection for whose rows there is room. */
  generations(projection: string): Promise<readonly number[]>
  /** Drops the rows of a generation. What is still written to them afterwards is refused, or lost. */
  drop(projection: string, generation: number): Promise<void>
  close(): Promise<void>
}

/**
 * When a row was written, in an order that all who write a shard have in common: under which epoch, and as the how-manieth
 * of that epoch. Of two versions the one of the higher epoch is newer, and within an epoch the one of the higher number.
 */
export interface RowVersion {
  readonly epoch: number
  readonly number: number
}

/** Rows that are written at once. */
export interface RowWrites {
  readonly version: RowVersion
  /** As of which position the rows are that do not say another one themselves. */
  readonly madeAt: Position
  readonly upserts: readonly Upsert[]
  readonly deletes: readonly DeletedRow[]
}

/** The rows of one generation. */
export interface Rows {
  /** Rows and tombstones, as they were written last, by `rowId`. What has been written is found at once. */
  load(keys: readonly RowKey[]): Promise<ReadonlyMap<string, LoadedRow | Tombstone>>
  /**
   * Writes rows, and tombstones for those that are deleted, each by itself: where what is stored under its key is of the same
   * version or a newer one, that stays, and counts as written. To look and to write are one operation of the store, which no
   * other write comes between.
   *
   * When it answers all of them are written. When it fails any of them may be, and any may be written later, or once more.
   * @throws `project/store-unreachable` where it is not known what became of it, and it is to be tried again ·
   * `project/store-failed`. So do all verbs.
   */
  write(writes: RowWrites): Promise<void>
  /** Documents by key, in order; `null` where there is no row, or a tombstone. */
  get(keys: readonly RowKey[]): Promise<readonly (string | null)[]>
  /** As `View.list`. */
  list(scan: Scan): Promise<readonly ListedDoc[]>
  /** As `View.dependents`. What has been written is found at once. */
  dependents(query: DependentsQuery): Promise<readonly Dependent[]>
  /** All rows, in the order of `Snapshot.pages`, each as it is when its page is read. */
  pages(): AsyncIterable<readonly StoredRow[]>
}
