import { BifoldError, isError } from '../define/index.ts'
import type { Held } from './decode.ts'
import { type Encoded, ownName } from './encode.ts'
import type { History } from './history.ts'
import type { LogLimits } from './limits.ts'
import type { Anchor } from './log.ts'
import { AppendsRefused, type Participant, type Participation, storedOf, withinBatch } from './participant.ts'
import type { Runtime } from './runtime.ts'
import type {
  BatchResult,
  EncodedAppend,
  LogStorage,
  StoredEvent,
  StoredOutcome,
  Verdict,
  WithinAppend,
} from './storage.ts'

/** What became of one append of a batch. `head` is the log's after the batch. */
export type LaneOutcome =
  | { readonly kind: 'appended'; readonly events: readonly Held[]; readonly version: number; readonly head: Anchor }
  | { readonly kind: 'repeated'; readonly outcome: StoredOutcome }
  | { readonly kind: 'conflict'; readonly version: number }

export interface LaneContext {
  readonly storage: Pick<LogStorage, 'appendBatch'>
  readonly history: History
  readonly runtime: Runtime
  readonly limits: LogLimits
  readonly hold: (stored: StoredEvent) => Held
  /** Called after each batch with the events that it appended, in order and without a gap. */
  readonly onBatch: (events: readonly Held[], head: Anchor) => void
  /** Writes along with the batches that hold events which concern it. Absent: nobody does. */
  readonly participant?: Participant
  /** Called when a batch went through after its connection had been lost. */
  readonly onReconnect: () => void
}

export interface Entry extends Encoded {
  readonly resolve: (outcome: LaneOutcome) => void
  readonly reject: (error: unknown) => void
}

/**
 * Carries a batch through, and settles each of its appends. Answers with an error for those that wait behind it, where
 * there is no use in sending them.
 */
export async function commitBatch(
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
    case 'refused': {
      // Nothing of the batch was written. These have their final answer, and the others go again without them.
      const isRefused = ({ append }: Entry): boolean => sent.errors.has(append)
      for (const { append, reject } of batch.filter(isRefused)) reject(sent.errors.get(append))
      const others = batch.filter(entry => !isRefused(entry))
      if (others.length > 0) return commitBatch(others, context, before)
      context.onBatch([], context.history.known())
      return undefined
    }
    case 'failed': {
      if (!isError(sent.error, 'log/document-refused') || batch.length === 1) {
        for (const { reject } of batch) reject(sent.error)
        // What others appended meanwhile was left to be handed over with this batch.
        context.onBatch([], context.history.known())
        return isError(sent.error, 'log/rewound') ? sent.error : undefined
      }
      // Something in it will not do, and the database does not say what: halve, so that it fails alone.
      const middle = batch.length >> 1
      const behind = await commitBatch(batch.slice(0, middle), context, before)
      if (behind === undefined) return commitBatch(batch.slice(middle), context, before)
      for (const { reject } of batch.slice(middle)) reject(behind)
      return behind
    }
  }
}

type Sent =
  | { readonly kind: 'done'; readonly result: BatchResult }
  /** Nothing was written. */
  | { readonly kind: 'failed'; readonly error: unknown }
  | { readonly kind: 'refused'; readonly errors: AppendsRefused['errors'] }
  | { readonly kind: 'unknown'; readonly waitedMs: number; readonly cause: unknown; readonly behind: BifoldError }

function unknown({ command }: EncodedAppend, { waitedMs, cause }: { waitedMs: number; cause: unknown }): BifoldError {
  // An id that the log made for itself is no command's: sent again under it, the command would be carried out again.
  const data = command.name === ownName ? { waitedMs } : { commandId: command.id, waitedMs }
  return new BifoldError('log/outcome-unknown', data, { cause })
}

/**
 * Sends a batch until it is known what became of it, or the time is over. After a lost connection the same batch goes
 * again, under the same ids: what had been committed is then answered as `repeated`. It goes behind the batch `before`
 * it, which was lost with it.
 */
async function send(batch: readonly EncodedAppend[], context: LaneContext, before: Promise<void>): Promise<Sent> {
  const { storage, history, runtime, limits } = context
  const started = runtime.elapsed()
  const { participation, along } = joined(batch, context)
  let lost = false
  let delayMs = 10
  for (;;) {
    const waited = (): number => Math.round(runtime.elapsed() - started)
    try {
      const result = await within(
        limits.unknownTimeoutMs - waited(),
        storage.appendBatch(batch, history.known(), along),
        runtime,
      )
      history.saw(result.head)
      participation?.committed()
      if (lost) context.onReconnect()
      return { kind: 'done', result }
    } catch (error) {
      // Known for certain, even after a lost connection: what had been committed would have been answered as `repeated`.
      if (error instanceof AppendsRefused) return { kind: 'refused', errors: error.errors }
      const goesOtherwise = participation?.failed(error) === true
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
      if (goesOtherwise) continue
      if (isError(error, 'log/rewound')) history.rewound(error.data.position)
      if (!lost || isError(error, 'log/document-refused')) return { kind: 'failed', error }
      const waitedMs = waited()
      return { kind: 'unknown', waitedMs, cause: error, behind: isError(error, 'log/rewound') ? error : neverSent() }
    }
  }
}

/** Who writes along with a batch; nothing where it is nobody's business. */
function joined(
  batch: readonly EncodedAppend[],
  { participant, hold }: LaneContext,
): { readonly participation?: Participation; readonly along?: WithinAppend } {
  const isConcerned =
    participant !== undefined && batch.some(({ events }) => events.some(({ type }) => participant.concerns(type)))
  if (!isConcerned) return {}
  const participation = participant.join()
  return { participation, along: withinBatch(batch, participant, participation, hold) }
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
      const events = storedOf(append, verdict, result).map(hold)
      return { kind: 'appended', events, version: verdict.version, head: result.head }
    }
  }
}
