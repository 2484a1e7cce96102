import { BifoldError, isError } from '../define/index.ts'
import type { Held } from './decode.ts'
import type { Encoded } from './encode.ts'
import type { History } from './history.ts'
import type { LogLimits } from './limits.ts'
import type { Anchor } from './log.ts'
import type { Runtime } from './runtime.ts'
import type { BatchResult, EncodedAppend, LogStorage, StoredEvent, StoredOutcome, Verdict } from './storage.ts'

/** What became of one append of a batch. `head` is the log's after the batch. */
export type LaneOutcome =
  | { readonly kind: 'appended'; readonly events: readonly Held[]; readonly version: number; readonly head: Anchor }
  | { readonly kind: 'repeated'; readonly outcome: StoredOutcome }
  | { readonly kind: 'conflict'; readonly version: number }

export interface Lane {
  /** @throws `log/overloaded` · `log/closed` · `log/rewound` at once, and whatever becomes of the append. */
  submit(encoded: Encoded): Promise<LaneOutcome>
  /** A batch is on its way, and its events are not handed over yet. */
  isBusy(): boolean
  /** Takes nothing any more, and resolves when what was taken is done. */
  close(): Promise<void>
}

export interface LaneContext {
  readonly storage: Pick<LogStorage, 'appendBatch'>
  readonly history: History
  readonly runtime: Runtime
  readonly limits: LogLimits
  readonly hold: (stored: StoredEvent) => Held
  /** Called after each batch with the events that it appended, in order and without a gap. */
  readonly onBatch: (events: readonly Held[], head: Anchor) => void
  /** Called when a batch went through after its connection had been lost. */
  readonly onReconnect: () => void
}

interface Entry extends Encoded {
  readonly resolve: (outcome: LaneOutcome) => void
  readonly reject: (error: unknown) => void
}

/**
 * Group commit: while a batch is on its way, what arrives gathers and goes as the next. Alone, an append has the latency
 * of one commit; under load, hundreds share one. Where many wait, a second batch goes behind the first, so that the
 * database has work while this process answers the callers of the one before.
 */
export function makeLane(context: LaneContext): Lane {
  const { history, runtime, limits } = context
  const maxUnderWay = 2
  let queue: Entry[] = []
  let queuedEvents = 0
  let queuedBytes = 0
  let underWay = 0
  let starting = false
  let closed = false
  let latest: Promise<void> = Promise.resolve()

  const take = (maxEvents: number): readonly Entry[] => {
    let events = 0
    let bytes = 0
    let count = 0
    for (const entry of queue) {
      const weight = weightOf(entry.append)
      if (count > 0 && (events + weight > maxEvents || bytes + entry.bytes > limits.batchBytes)) break
      events += weight
      bytes += entry.bytes
      count++
    }
    const batch = queue.slice(0, count)
    queue = queue.slice(count)
    queuedEvents -= events
    queuedBytes -= bytes
    return batch
  }

  const startSoon = (): void => {
    const enough = underWay === 0 ? 1 : limits.overlapEvents
    if (starting || underWay === maxUnderWay || queuedEvents < enough) return
    starting = true
    // Callers whose appends have just been answered come back with their next ones in this turn.
    void runtime.turn().then(() => {
      starting = false
      start()
      startSoon()
    })
  }
  const start = (): void => {
    // Half of what waits, where that makes two batches that are worth their commits.
    const half = underWay === 0 ? Math.max(limits.overlapEvents, Math.ceil(queuedEvents / 2)) : limits.batchEvents
    const batch = take(Math.min(half, limits.batchEvents))
    underWay++
    latest = carry(batch, latest)
  }
  const carry = async (batch: readonly Entry[], before: Promise<void>): Promise<void> => {
    const error = await commit(batch, context, before)
    underWay--
    if (error !== undefined) {
      // These were never sent. Leaving them to wait out one time-out after the other would help nobody.
      for (const { reject } of queue) reject(error)
      queue = []
      queuedEvents = 0
      queuedBytes = 0
      context.onBatch([], history.known())
    }
    startSoon()
  }

  return {
    submit: encoded => {
      history.mustHold()
      if (closed) throw new BifoldError('log/closed', {})
      const events = weightOf(encoded.append)
      if (queuedEvents + events > limits.queueEvents || queuedBytes + encoded.bytes > limits.queueBytes) {
        const { queueEvents: limitEvents, queueBytes: limitBytes } = limits
        throw new BifoldError('log/overloaded', { queuedEvents, queuedBytes, limitEvents, limitBytes })
      }
      queuedEvents += events
      queuedBytes += encoded.bytes
      return new Promise((resolve, reject) => {
        queue.push({ ...encoded, resolve, reject })
        startSoon()
      })
    },
    isBusy: () => underWay > 0,
    close: async () => {
      closed = true
      while (underWay > 0 || queue.length > 0) {
        await latest
        await runtime.turn()
      }
    },
  }
}

/** An append without events takes a place too. */
function weightOf(append: EncodedAppend): number {
  return Math.max(1, append.events.length)
}

/**
 * Carries a batch through, and settles each of its appends. Answers with an error for those that wait behind it, where
 * there is no use in sending them.
 */
async function commit(
  batch: readonly Entry[],
  context: LaneContext,
  before: Promise<void>,
): Promise<BifoldError | undefined> {
  const sent = await send(
    batch.map(entry => entry.append),
    context,
    before,
  )
  switch (sent.kind) {
    case 'done':
      settle(batch, sent.result, context)
      return undefined
    case 'unknown':
      for (const { append, reject } of batch) reject(unknown(append, sent))
      return sent.behind
    case 'failed': {
      if (!isError(sent.error, 'log/document-refused') || batch.length === 1) {
        for (const { reject } of batch) reject(sent.error)
        return isError(sent.error, 'log/rewound') ? sent.error : undefined
      }
      // Something in it will not do, and the database does not say what: halve, so that it fails alone.
      const middle = batch.length >> 1
      const behind = await commit(batch.slice(0, middle), context, before)
      if (behind === undefined) return commit(batch.slice(middle), context, before)
      for (const { reject } of batch.slice(middle)) reject(behind)
      return behind
    }
  }
}

type Sent =
  | { readonly kind: 'done'; readonly result: BatchResult }
  /** Nothing was written. */
  | { readonly kind: 'failed'; readonly error: unknown }
  | { readonly kind: 'unknown'; readonly waitedMs: number; readonly cause: unknown; readonly behind: BifoldError }

function unknown({ command }: EncodedAppend, { waitedMs, cause }: { waitedMs: number; cause: unknown }): BifoldError {
  return new BifoldError('log/outcome-unknown', { commandId: command.id, waitedMs }, { cause })
}

/**
 * Sends a batch until it is known what became of it, or the time is over. After a lost connection the same batch goes
 * again, under the same ids: what had been committed is then answered as `repeated`. It goes behind the batch `before`
 * it, which was lost with it.
 */
async function send(batch: readonly EncodedAppend[], context: LaneContext, before: Promise<void>): Promise<Sent> {
  const { storage, history, runtime, limits } = context
  const started = runtime.elapsed()
  let lost = false
  let delayMs = 10
  for (;;) {
    const waited = (): number => Math.round(runtime.elapsed() - started)
    try {
      const result = await within(
        limits.unknownTimeoutMs - waited(),
        storage.appendBatch(batch, history.known()),
        runtime,
      )
      history.saw(result.head)
      if (lost) context.onReconnect()
      return { kind: 'done', result }
    } catch (error) {
      if (isError(error, 'log/connection-lost')) {
        lost = true
        await before
        if (waited() + delayMs < limits.unknownTimeoutMs) {
          await new Promise<void>(resolve => runtime.after(delayMs * (0.5 + runtime.random()), resolve))
          delayMs = Math.min(delayMs * 2, 500)
          continue
        }
        return { kind: 'unknown', waitedMs: waited(), cause: error, behind: neverSent() }
      }
      if (isError(error, 'log/rewound')) history.rewound(error.data.position)
      if (!lost || isError(error, 'log/document-refused')) return { kind: 'failed', error }
      const waitedMs = waited()
      return { kind: 'unknown', waitedMs, cause: error, behind: isError(error, 'log/rewound') ? error : neverSent() }
    }
  }
}

function neverSent(): BifoldError {
  return new BifoldError('log/connection-lost', {
    problem: 'the append was waiting and was not sent; nothing was appended',
  })
}

/** `work`, or `log/connection-lost` when it has not ended in time: a server that is frozen closes no connection. */
async function within<T>(timeoutMs: number, work: Promise<T>, runtime: Runtime): Promise<T> {
  let cancel = (): void => undefined
  const late = new Promise<never>((_, reject) => {
    cancel = runtime.after(Math.max(0, timeoutMs), () =>
      reject(new BifoldError('log/connection-lost', { problem: 'there was no answer in time' })),
    )
  })
  try {
    return await Promise.race([work, late])
  } finally {
    cancel()
  }
}

function settle(batch: readonly Entry[], result: BatchResult, context: LaneContext): void {
  const handed: Held[] = []
  const outcomes = batch.map(({ append }, index) => {
    const verdict = result.verdicts[index] as Verdict
    const outcome = outcomeOf(append, verdict, result, context)
    if (verdict.kind === 'appended' && outcome.kind === 'appended') handed.push(...outcome.events)
    return outcome
  })
  context.onBatch(handed, result.head)
  for (const [index, { resolve }] of batch.entries()) resolve(outcomes[index] as LaneOutcome)
}

function outcomeOf(append: EncodedAppend, verdict: Verdict, result: BatchResult, { hold }: LaneContext): LaneOutcome {
  switch (verdict.kind) {
    case 'conflict':
      return verdict
    case 'repeated': {
      const { outcome } = verdict
      const own = outcome.events.length > 0 && outcome.events[0]?.id === append.events[0]?.id
      // Sent again after a lost connection: it is the first sending that had been committed.
      if (own)
        return { kind: 'appended', events: outcome.events.map(hold), version: outcome.version, head: outcome.head }
      return verdict
    }
    case 'appended': {
      const { firstPosition, version } = verdict
      const firstVersion = version - append.events.length + 1
      const events = append.events.map((event, index) =>
        hold({
          id: event.id,
          type: event.type,
          schemaVersion: event.schemaVersion,
          tags: event.tags,
          data: event.data,
          metadata: event.metadata,
          stream: append.stream,
          version: firstVersion + index,
          position: firstPosition + index,
          recordedAt: result.recordedAt,
        }),
      )
      return { kind: 'appended', events, version, head: result.head }
    }
  }
}
