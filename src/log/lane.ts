import { BifoldError } from '../define/index.ts'
import { commitBatch, type Entry, type LaneContext, type LaneOutcome } from './commit-batch.ts'
import type { Encoded } from './encode.ts'
import { makePace } from './pace.ts'
import type { EncodedAppend } from './storage.ts'

export interface Lane {
  /** @throws `log/overloaded` · `log/closed` · `log/rewound` at once, and whatever becomes of the append. */
  submit(encoded: Encoded): Promise<LaneOutcome>
  /** A batch is on its way, and its events are not handed over yet. */
  isBusy(): boolean
  /** Takes nothing any more, and resolves when what was taken is done. */
  close(): Promise<void>
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
  const pace = makePace(runtime)

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
    const enough = underWay === 0 ? 1 : pace.isOverlapWorthIt() ? limits.overlapEvents : Number.POSITIVE_INFINITY
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
    if (queue.length === 0) return
    // Half of what waits, so that the other half can follow.
    const halve = underWay === 0 && pace.isOverlapWorthIt()
    const maxEvents = halve ? Math.max(limits.overlapEvents, Math.ceil(queuedEvents / 2)) : limits.batchEvents
    const batch = take(Math.min(maxEvents, limits.batchEvents))
    underWay++
    latest = carry(batch, latest)
  }
  const carry = async (batch: readonly Entry[], before: Promise<void>): Promise<void> => {
    const startedAt = pace.started()
    // While the database is gone no socket is open, and Node would end a process that waits for nothing but a timer.
    const mayEnd = runtime.stayAlive()
    const error = await commitBatch(batch, context, before)
    mayEnd()
    pace.answered(startedAt)
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
