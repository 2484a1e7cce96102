import type { Position, Version } from '../define/index.ts'
import type { Anchor, CommandKey, Expected, ShardFilter, Snapshot, StreamKey } from './log.ts'

/**
 * Where a log is kept. A storage moves text: it neither decodes nor validates, and all of that is written once, in
 * the log above it. One contract suite judges every storage; the one in memory is the readable specification.
 */
export interface LogStorage {
  /** Makes what is missing, and says which log this is. */
  open(): Promise<{ readonly logId: string }>
  /**
   * Appends a batch in one transaction: takes the log's lock, checks each append against what is committed and
   * against those before it in the batch, gives positions to all events of those that hold, and answers with a
   * verdict for each, in order. Calls that are made at the same time are carried out in their order.
   *
   * @param known a point of history that this process has seen; the batch is refused whole with `log/rewound`,
   *   under the lock, when it is not there.
   * @param within runs in the same transaction once the batch is written in it, under the lock: nobody sees the events
   *   before what it writes with them. What it throws is thrown, and undoes both.
   * @throws `log/rewound` · `log/document-refused` (something in the batch; nothing was written) · a lost connection as
   *   `log/connection-lost` (nothing is known about the batch)
   */
  appendBatch(batch: readonly EncodedAppend[], known: Anchor, within?: WithinAppend): Promise<BatchResult>
  readStream(stream: StreamKey, fromVersion: Version, maxEvents: number): Promise<readonly StoredEvent[]>
  /**
   * The stream's snapshot of this snapshot version, and the events after it. One whose event is not in the stream, at
   * that version and with that fingerprint, is of another history: it counts as none, and the events are the first.
   */
  readFromSnapshot(stream: StreamKey, snapshotVersion: number, maxEvents: number): Promise<FromSnapshot>
  /**
   * Keeps each snapshot in place of the one that its stream has, unless that is newer: of a later snapshot version, or
   * of the same one and a later version. One of another history is neither kept nor stands in the way.
   */
  writeSnapshots(snapshots: readonly Snapshot[]): Promise<void>
  /** The version of each stream, in order; 0 where there is none. */
  versionsOf(streams: readonly StreamKey[]): Promise<readonly Version[]>
  /**
   * The events after `from.position` in order, filtered by type.
   * @param shards which of these types' events are of use: others may be left out.
   * @throws `log/rewound` when the event at `from` is not the one that was there.
   */
  read(from: Anchor, types: readonly string[] | undefined, maxEvents: number, shards?: ShardFilter): Promise<StoredPage>
  /** The events at these positions that there are, in order. */
  readAt(positions: readonly Position[]): Promise<readonly StoredEvent[]>
  head(): Promise<Anchor>
  /** Is the event at each of these points of history still the one that it names? In order. */
  holds(anchors: readonly Anchor[]): Promise<readonly boolean[]>
  outcomeOf(tenant: string, name: string, id: string): Promise<StoredOutcome | undefined>
  /**
   * Calls `wake` when events may have been appended by anybody, with the log's head after it where that is known, so
   * that a process need not look for what it appended itself. `reconnected` is called after a connection was
   * lost and is there again. Both are hints. Answers with what ends it.
   */
  listen(wake: (head?: Position) => void, reconnected: () => void): Promise<() => Promise<void>>
  close(): Promise<void>
}

/** Writes along with a batch. It awaits nothing but what it asks of `open`: every other append waits for it. */
export type WithinAppend = (open: OpenAppend) => Promise<void>

/** A transaction that appends, before it is committed. */
export interface OpenAppend {
  /** The log's head before the batch. */
  readonly base: Anchor
  /** What the batch is answered with if the transaction is committed. */
  readonly result: BatchResult
  /** The storage's own client, in the transaction. */
  readonly client: unknown
  /** As `LogStorage.read`, in the transaction: with the events of the batch. */
  read(from: Anchor, types: readonly string[], maxEvents: number): Promise<StoredPage>
}

/** An append as text. `metadata` and each `data` are JSON without a raw newline. */
export interface EncodedAppend {
  readonly stream: StreamKey
  readonly expected: Expected
  readonly command: CommandKey
  readonly events: readonly EncodedEvent[]
}

export interface EncodedEvent {
  readonly id: string
  readonly type: string
  readonly schemaVersion: number
  readonly tags: readonly string[]
  readonly data: string
  readonly metadata: string
}

export interface BatchResult {
  /** The clock under the lock, ISO 8601 in UTC with microseconds: `recordedAt` of every event of the batch. */
  readonly recordedAt: string
  readonly verdicts: readonly Verdict[]
  /** The log's head after the batch. */
  readonly head: Anchor
}

export type Verdict =
  | { readonly kind: 'appended'; readonly firstPosition: Position; readonly version: Version }
  | { readonly kind: 'repeated'; readonly outcome: StoredOutcome }
  | { readonly kind: 'conflict'; readonly version: Version }

export interface StoredOutcome {
  readonly hash: string
  readonly version: Version
  readonly head: Anchor
  readonly events: readonly StoredEvent[]
}

/** An event exactly as it is stored. An event handed over in memory has the same text as one that was read. */
export interface StoredEvent extends EncodedEvent {
  readonly stream: StreamKey
  readonly version: Version
  readonly position: Position
  readonly recordedAt: string
}

export interface StoredPage {
  readonly events: readonly StoredEvent[]
  readonly through: Anchor
  readonly atHead: boolean
}

export interface FromSnapshot {
  readonly snapshot?: Snapshot
  readonly events: readonly StoredEvent[]
}
