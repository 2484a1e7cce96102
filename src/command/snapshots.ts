import { type AnyAggregate, BifoldError, exactJson } from '../define/index.ts'
import type { EventLog, Runtime, Snapshot, StreamKey } from '../log/index.ts'
import type { Folded } from './fold.ts'

/** States being kept, behind the commands: none of them waits for it, and none fails of it. */
export interface Snapshots {
  /**
   * Keeps this state of a stream soon, in place of an earlier one that is not written yet. It may be given unfolded.
   * Where too many wait it is let go: the next load that had to fold much offers again.
   */
  offer(stream: StreamKey, streamName: string, aggregate: AnyAggregate, state: Folded | (() => Folded)): void
  /** Takes no more, and resolves when what was taken is written or let go. */
  close(): Promise<void>
}

export interface SnapshotsContext {
  readonly log: Pick<EventLog, 'writeSnapshots'>
  readonly runtime: Runtime
  /** Streams whose state may wait to be written. */
  readonly maxPending: number
  readonly onFailed: (error: BifoldError<'command/snapshot-failed'>) => void
}

interface Offer {
  readonly stream: StreamKey
  readonly aggregate: AnyAggregate
  readonly state: Folded | (() => Folded)
}

const batchSnapshots = 64
const batchBytes = 2 ** 20
const maxStateBytes = 2 ** 20

export function createSnapshots({ log, runtime, maxPending, onFailed }: SnapshotsContext): Snapshots {
  const pending = new Map<string, Offer>()
  let writing: Promise<void> | undefined
  let closed = false

  /** The next states as text: so many that one write is worth it, so few that nobody waits long for the process. */
  const take = (): readonly Snapshot[] => {
    const batch: Snapshot[] = []
    let bytes = 0
    for (const [name, offer] of pending) {
      pending.delete(name)
      const snapshot = encode(offer)
      if (snapshot !== undefined) batch.push(snapshot)
      bytes += snapshot?.state.length ?? 0
      if (batch.length === batchSnapshots || bytes >= batchBytes) break
    }
    return batch
  }
  const encode = ({ stream, aggregate, state }: Offer): Snapshot | undefined => {
    let version = 0
    let problem: string
    try {
      const folded = typeof state === 'function' ? state() : state
      version = folded.version
      const json = exactJson(folded.state)
      if (json.problem === undefined && Buffer.byteLength(json.text) <= maxStateBytes) {
        const snapshotVersion = snapshotVersionOf(aggregate)
        return { stream, snapshotVersion, version, at: folded.head, state: json.text }
      }
      problem = json.problem ?? `it has more than ${maxStateBytes} bytes`
    } catch (error) {
      problem = problemOf(error)
    }
    fail(stream, version, problem)
    return undefined
  }
  const fail = ({ category, id: streamId }: StreamKey, version: number, problem: string, cause?: unknown): void => {
    onFailed(new BifoldError('command/snapshot-failed', { category, streamId, version, problem }, { cause }))
  }
  const write = async (): Promise<void> => {
    // Not in the turn of the command that offered.
    await runtime.turn()
    while (pending.size > 0) {
      const batch = take()
      const first = batch[0]
      if (first === undefined) continue
      try {
        await log.writeSnapshots(batch)
      } catch (error) {
        // What waits would most likely fail as well, and is worth no second try.
        pending.clear()
        fail(first.stream, first.version, problemOf(error), error)
      }
    }
    writing = undefined
  }

  return {
    offer: (stream, streamName, aggregate, state) => {
      if (closed || (pending.size >= maxPending && !pending.has(streamName))) return
      pending.set(streamName, { stream, aggregate, state })
      writing ??= write()
    },
    close: async () => {
      closed = true
      await writing
    },
  }
}

export function snapshotVersionOf({ snapshot }: AnyAggregate): number {
  return snapshot?.version ?? 1
}

/** Is a state due that is `to`, where the last one that was due came with or before `from`? */
export function isDue({ snapshot }: AnyAggregate, from: number, to: number): boolean {
  return snapshot !== undefined && Math.floor(from / snapshot.every) < Math.floor(to / snapshot.every)
}

/** Tells the process, once for each category. */
export function warnOnce(): (error: BifoldError<'command/snapshot-failed'>) => void {
  const warned = new Set<string>()
  return error => {
    if (warned.has(error.data.category)) return
    warned.add(error.data.category)
    process.emitWarning(error)
  }
}

function problemOf(error: unknown): string {
  return error instanceof BifoldError ? error.code : error instanceof Error ? error.name : typeof error
}
