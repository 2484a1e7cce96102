import type { Metadata, NewEvent, Position, RecordedEvent, Version } from '../define/index.ts'

/** The name of a stream. Each part is text without control characters, 1 to 256 bytes of UTF-8. */
export interface StreamKey {
  readonly tenant: string
  readonly category: string
  readonly id: string
}

/** The tenant of everything that names none. */
export const defaultTenant = 'default'

/**
 * A point in the history of one log: a position, and a fingerprint of the event there (the last 12 hex digits of its
 * id; empty at position 0). Two histories that were given the same positions differ in their fingerprints.
 */
export interface Anchor {
  readonly position: Position
  readonly fingerprint: string
}

export const origin: Anchor = { position: 0, fingerprint: '' }

/** Under which condition events may be appended: the stream's exact version (0: it has none), or `any`. */
export type Expected = Version | 'any'

/** The id under which a command is carried out once. */
export interface CommandKey {
  /** `order/PayOrder`. With the tenant and the id it is unique in the log. */
  readonly name: string
  readonly id: string
  /** A hash of the command's payload: the same id with another hash is an error. */
  readonly hash: string
}

export interface AppendRequest {
  readonly stream: StreamKey
  readonly expected: Expected
  /** May be empty where `command` is given: then a command that changed nothing is recorded. */
  readonly events: readonly NewEvent[]
  readonly metadata?: Metadata
  /** Absent: the log makes an id of its own, by which it finds out about an append whose answer was lost. */
  readonly command?: CommandKey
}

/** What became of an append. Whatever is not listed here is thrown. */
export type AppendOutcome =
  | {
      readonly kind: 'appended'
      readonly events: readonly RecordedEvent[]
      readonly version: Version
      readonly head: Anchor
    }
  /** The command id is in the log already: nothing was appended. */
  | { readonly kind: 'repeated'; readonly outcome: CommandOutcome }
  | { readonly kind: 'conflict'; readonly version: Version }

/** What the log remembers of a command that was accepted or changed nothing. */
export interface CommandOutcome {
  readonly hash: string
  /** The events it appended: none where it changed nothing. */
  readonly events: readonly RecordedEvent[]
  /** The stream's version after it. */
  readonly version: Version
  /** The log's head as the command saw it: a token of this reads what the command wrote. */
  readonly head: Anchor
}

/** A state of a stream that was kept, so that what led to it need not be read again. */
export interface Snapshot {
  readonly stream: StreamKey
  /** The version that the aggregate declared for its snapshots: what was kept under another is passed over. */
  readonly snapshotVersion: number
  /** The state holds the stream's events up to this one, */
  readonly version: Version
  /** which is this point of history. */
  readonly at: Anchor
  /** As JSON. */
  readonly state: string
}

export interface Page {
  readonly events: readonly RecordedEvent[]
  /** Every event up to here is in `events`, or was passed over by the filter. */
  readonly through: Anchor
  /** Nothing was known to lie beyond `through` when the page was read. */
  readonly atHead: boolean
}

/** For whoever follows the log for some shards of a view whose keys are the streams. */
export interface ShardFilter {
  /** So many shards divide the streams, by `keyHash`. */
  readonly count: number
  /** Events of streams of other shards than these may be left out. */
  readonly own: readonly number[]
  /** Far behind the head a page ends here at the latest: pages that begin alike then end alike. */
  readonly upTo: Position
}

export interface ReadOptions {
  /** Only events of these types. Absent: all. */
  readonly types?: readonly string[]
  /** Which events of these types are of use; without `types` it counts for nothing. Absent: all. */
  readonly shards?: ShardFilter
  /** Default 5000. */
  readonly maxEvents?: number
}

/**
 * The log: every event at a gapless position, in the order of commit. There is one way in, which validates and
 * encodes, and one way out, which decodes and upcasts.
 */
export interface EventLog {
  /** Names this log. A log that was made anew has another id. */
  readonly id: string
  /**
   * @throws `log/overloaded` at once when the queue is full · `log/invalid-event` · `log/invalid-stream` ·
   * `log/document-refused` · `log/outcome-unknown` · `log/rewound` · `log/closed`
   */
  append(request: AppendRequest): Promise<AppendOutcome>
  /** The events of one stream from a version on (default: the first), in order. */
  readStream(
    stream: StreamKey,
    options?: { readonly fromVersion?: Version; readonly maxEvents?: number },
  ): Promise<readonly RecordedEvent[]>
  /** The snapshot of a stream, where it has one of this snapshot version, and the events after it, in one round trip. */
  readFromSnapshot(
    stream: StreamKey,
    options: { readonly snapshotVersion: number; readonly maxEvents: number },
  ): Promise<{ readonly snapshot?: Snapshot; readonly events: readonly RecordedEvent[] }>
  /** Keeps snapshots: one for each stream, never an older one in place of a newer. Each stream may be in it once. */
  writeSnapshots(snapshots: readonly Snapshot[]): Promise<void>
  /** The version of a stream's last event, 0 where it has none. Calls that come together share one statement. */
  versionOf(stream: StreamKey): Promise<Version>
  /**
   * The events after `from`, in order. Served from the recent events that this process holds, where it holds them:
   * however many projections stand at the tail, the log is read once.
   * @throws `log/rewound` when the event at `from` is not the one that was there.
   */
  read(from: Anchor, options?: ReadOptions): Promise<Page>
  /**
   * The events at these positions that there are, in order. For what was kept as positions, so that upcasting and erasure
   * reach it; who follows the log uses `read`, which notices another history.
   */
  readAt(positions: readonly Position[]): Promise<readonly RecordedEvent[]>
  head(): Promise<Anchor>
  /** Is the event at this point of history still the one that it names? Calls that come together share one statement. */
  holds(anchor: Anchor): Promise<boolean>
  /** What is known of a command, or `undefined`. */
  outcomeOf(
    tenant: string,
    command: { readonly name: string; readonly id: string },
  ): Promise<CommandOutcome | undefined>
  /**
   * Resolves when there may be an event after `position`, by in-process hand-over, notification or polling, or when
   * `signal` aborts. A hint, never a promise: read.
   */
  waitBeyond(position: Position, signal: AbortSignal): Promise<void>
  /** Calls `listener` when what a process holds of this log may be out of date (a reconnect). Answers with what ends it. */
  onReconnect(listener: () => void): () => void
  /** Stops taking appends, finishes those it has, and lets go of everything. */
  close(): Promise<void>
}
