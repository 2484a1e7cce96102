import type { BifoldError, Position, RecordedEvent } from '../define/index.ts'
import type { Held } from './decode.ts'
import type { Anchor, Page } from './log.ts'
import type { BatchResult, EncodedAppend, OpenAppend, StoredEvent, Verdict, WithinAppend } from './storage.ts'

/**
 * Writes along with appends, in their transactions: what it writes is there with the events, or neither is. The log knows
 * nothing of what that is.
 */
export interface Participant {
  /** Is an event of this type its business? A batch without any goes as if there were no participant. */
  concerns(type: string): boolean
  /** Takes part in one batch, which may be sent several times. */
  join(): Participation
}

export interface Participation {
  /**
   * Runs in the transaction of the batch, under the log's lock, and awaits nothing but what it asks of `open`. What it
   * throws undoes the whole batch.
   * @throws `Refused` where some of the appends cannot be: the others go again without them.
   */
  within(open: OpenBatch): Promise<void>
  /** The batch is in the log, and what was written with it beside it. */
  committed(): void
  /** The transaction has failed: is the batch to be sent again, which will then go otherwise? */
  failed(error: unknown): boolean
}

/** A batch that is written and not committed. */
export interface OpenBatch {
  /** Of the log, before the batch and with it. */
  readonly base: Anchor
  readonly head: Anchor
  /** What the batch appends and is the participant's business, in order. */
  readonly events: readonly RecordedEvent[]
  /** The storage's own client, in the transaction. */
  readonly client: unknown
  /** As `EventLog.read`, and with the events of the batch. */
  read(from: Anchor, types: readonly string[], maxEvents: number): Promise<Page>
}

/** Some appends of a batch are refused. Each is known by the position that one of its events would have had. */
export class Refused extends Error {
  readonly errors: ReadonlyMap<Position, BifoldError>

  constructor(errors: ReadonlyMap<Position, BifoldError>) {
    super('a participant refuses appends')
    this.errors = errors
  }
}

/** Appends of a batch that were refused, each with the error that it ends in. */
export class AppendsRefused extends Error {
  readonly errors: ReadonlyMap<EncodedAppend, BifoldError>

  constructor(errors: ReadonlyMap<EncodedAppend, BifoldError>) {
    super('appends were refused')
    this.errors = errors
  }
}

/** What a storage runs in the transaction of this batch. Under the lock, no more is decoded than has to be. */
export function withinBatch(
  batch: readonly EncodedAppend[],
  { concerns }: Participant,
  participation: Participation,
  hold: (stored: StoredEvent) => Held,
): WithinAppend {
  const decoded = (stored: StoredEvent): RecordedEvent => hold(stored).decoded()
  return async ({ base, result, client, read }: OpenAppend) => {
    // What has been appended before, or is not, is nobody's business any more.
    const stored = batch.flatMap((append, n) => storedOf(append, result.verdicts[n] as Verdict, result))
    const events = stored.filter(({ type }) => concerns(type)).map(decoded)
    if (events.length === 0) return
    const open: OpenBatch = {
      ...{ base, head: result.head, events, client },
      read: async (from, types, maxEvents) => {
        const page = await read(from, types, maxEvents)
        return { ...page, events: page.events.map(decoded) }
      },
    }
    try {
      await participation.within(open)
    } catch (error) {
      throw error instanceof Refused ? (byAppend(batch, result, error) ?? error) : error
    }
  }
}

/** `undefined`: none of the appends is meant. */
function byAppend(
  batch: readonly EncodedAppend[],
  { verdicts }: BatchResult,
  { errors }: Refused,
): AppendsRefused | undefined {
  const refused = new Map<EncodedAppend, BifoldError>()
  for (const [n, append] of batch.entries()) {
    const verdict = verdicts[n]
    if (verdict?.kind !== 'appended') continue
    for (const at of append.events.keys()) {
      const error = errors.get(verdict.firstPosition + at)
      if (error !== undefined && !refused.has(append)) refused.set(append, error)
    }
  }
  return refused.size === 0 ? undefined : new AppendsRefused(refused)
}

/** The events of an append as they are stored, to the byte; none where it was not appended. */
export function storedOf(
  append: EncodedAppend,
  verdict: Verdict,
  { recordedAt }: Pick<BatchResult, 'recordedAt'>,
): readonly StoredEvent[] {
  if (verdict.kind !== 'appended') return []
  const { firstPosition, version } = verdict
  const firstVersion = version - append.events.length + 1
  return append.events.map((event, index) => ({
    id: event.id,
    type: event.type,
    schemaVersion: event.schemaVersion,
    tags: event.tags,
    data: event.data,
    metadata: event.metadata,
    stream: append.stream,
    version: firstVersion + index,
    position: firstPosition + index,
    recordedAt,
  }))
}
