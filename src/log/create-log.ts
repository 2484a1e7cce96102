import { BifoldError, type EventType, isError, type RecordedEvent } from '../define/index.ts'
import type { LaneOutcome } from './commit-batch.ts'
import { makeDecoder } from './decode.ts'
import { checkStream, encodeAppend } from './encode.ts'
import { type HeldPage, makeFeed } from './feed.ts'
import { gather } from './gather.ts'
import { makeHistory } from './history.ts'
import { fingerprintOf, makeIds } from './ids.ts'
import { makeLane } from './lane.ts'
import { defaultLimits, type LogLimits } from './limits.ts'
import type { Anchor, AppendOutcome, CommandOutcome, EventLog, Page, StreamKey } from './log.ts'
import type { Participant } from './participant.ts'
import { type Runtime, systemRuntime } from './runtime.ts'
import type { LogStorage, StoredOutcome } from './storage.ts'

export interface LogOptions extends Partial<LogLimits> {
  /** Each event by its name: `app.eventTypes`, or `typesOf(contracts)`. */
  readonly eventTypes: ReadonlyMap<string, EventType>
  readonly runtime?: Runtime
  /** Writes along with appends, where the storage's database is its own too. Default: nobody does. */
  readonly participant?: Participant
}

/**
 * Opens the log that is kept in `storage`: makes what is missing there, and looks where it stands.
 *
 * @param options.eventTypes what may be written and can be read.
 * @param options.runtime time, chance and scheduling. Default: the machine's.
 */
export async function createLog(storage: LogStorage, options: LogOptions): Promise<EventLog> {
  const { eventTypes, runtime = systemRuntime, participant } = options
  const limits: LogLimits = { ...defaultLimits, ...options }
  const newId = makeIds(runtime)
  const hold = makeDecoder(eventTypes)
  const reconnectListeners = new Set<() => void>()
  let closing: Promise<void> | undefined

  const { logId } = await storage.open()
  const head = await storage.head()
  const history = makeHistory(() => feed.wakeAll())
  history.saw(head)

  const mustBeOpen = (): void => {
    history.mustHold()
    if (closing !== undefined) throw new BifoldError('log/closed', {})
  }
  const verify = async (): Promise<void> => {
    const known = history.known()
    const [held] = await storage.holds([known])
    if (held !== true) history.rewound(known.position)
  }
  const lookAtHead = async (): Promise<Anchor> => {
    const known = history.known()
    const now = await storage.head()
    // A head below what was known before it was asked for: the log is shorter than it was.
    if (now.position < known.position || (now.position === known.position && now.fingerprint !== known.fingerprint)) {
      history.rewound(known.position)
    }
    // Above it, only what was known can tell that this is the log that it was.
    if (now.position > known.position && known.position > 0) await verify()
    history.mustHold()
    history.saw(now)
    return now
  }
  const reconnected = (): void => {
    for (const listener of reconnectListeners) listener()
  }

  const lane = makeLane({
    storage,
    history,
    runtime,
    limits,
    hold,
    onBatch: (events, batchHead) => feed.handOver(events, batchHead),
    onReconnect: reconnected,
    ...(participant !== undefined && { participant }),
  })
  const feed = makeFeed({ storage, history, runtime, limits, hold, lookAtHead, isAppending: () => lane.isBusy() }, head)
  const versionOf = gather((streams: readonly StreamKey[]) => storage.versionsOf(streams), { runtime, batchKeys: 256 })
  const holds = gather((anchors: readonly Anchor[]) => storage.holds(anchors), { runtime, batchKeys: 256 })
  const decodeOutcome = (stored: StoredOutcome): CommandOutcome => {
    const events = stored.events.map(hold)
    return {
      hash: stored.hash,
      version: stored.version,
      head: stored.head,
      get events() {
        return events.map(held => held.decoded())
      },
    }
  }
  const stopListening = await storage.listen(
    position => feed.notice(position),
    () => {
      reconnected()
      feed.notice()
      verify().catch(() => undefined)
    },
  )

  return {
    id: logId,
    append: async request => {
      mustBeOpen()
      return answer(await lane.submit(encodeAppend(request, { eventTypes, limits, newId })), decodeOutcome)
    },
    readStream: async (stream, { fromVersion = 1, maxEvents = Number.POSITIVE_INFINITY } = {}) => {
      mustBeOpen()
      checkStream(stream)
      const events = []
      const pageEvents = 5000
      for (;;) {
        const wanted = Math.min(pageEvents, maxEvents - events.length)
        const page = await storage.readStream(stream, fromVersion + events.length, wanted)
        for (const stored of page) events.push(hold(stored).decoded())
        if (page.length < wanted || events.length >= maxEvents) return events
      }
    },
    readFromSnapshot: async (stream, { snapshotVersion, maxEvents }) => {
      mustBeOpen()
      checkStream(stream)
      const { snapshot, events } = await storage.readFromSnapshot(stream, snapshotVersion, maxEvents)
      const decoded = events.map(stored => hold(stored).decoded())
      return snapshot === undefined ? { events: decoded } : { snapshot, events: decoded }
    },
    writeSnapshots: async snapshots => {
      mustBeOpen()
      await storage.writeSnapshots(snapshots)
    },
    versionOf: async stream => {
      mustBeOpen()
      checkStream(stream)
      return versionOf(stream)
    },
    read: async (from, { types, maxEvents = 5000, shards } = {}) => {
      mustBeOpen()
      try {
        return decodePage(await feed.read(from, types, maxEvents, shards))
      } catch (error) {
        // Either this anchor is of another history, or the log was rewound under this process: the second ends it.
        if (isError(error, 'log/rewound')) await verify().catch(() => undefined)
        throw error
      }
    },
    readAt: async positions => {
      mustBeOpen()
      return (await storage.readAt(positions)).map(stored => hold(stored).decoded())
    },
    head: async () => {
      mustBeOpen()
      return lookAtHead()
    },
    holds: async anchor => {
      mustBeOpen()
      return feed.holds(anchor) || holds(anchor)
    },
    outcomeOf: async (tenant, { name, id }) => {
      mustBeOpen()
      const stored = await storage.outcomeOf(tenant, name, id)
      return stored && decodeOutcome(stored)
    },
    waitBeyond: (position, signal) => feed.waitBeyond(position, signal),
    onReconnect: listener => {
      reconnectListeners.add(listener)
      return () => reconnectListeners.delete(listener)
    },
    close: () => {
      closing ??= (async () => {
        await lane.close()
        feed.close()
        await stopListening()
        await storage.close()
      })()
      return closing
    },
  }
}

/** A page, decoded; where an event cannot be decoded, up to the one before it, and from there on its error. */
function decodePage({ events, through, atHead }: HeldPage): Page {
  const decoded: RecordedEvent[] = []
  for (const held of events) {
    try {
      decoded.push(held.decoded())
    } catch (error) {
      const last = decoded.at(-1)
      if (last === undefined) throw error
      return { events: decoded, through: anchorOfEvent(last), atHead: false }
    }
  }
  return { events: decoded, through, atHead }
}

function anchorOfEvent({ position, id }: { readonly position: number; readonly id: string }): Anchor {
  return { position, fingerprint: fingerprintOf(id) }
}

/**
 * An append's events are decoded when they are looked at, and then once for the caller and every projection: most
 * callers want no more than the version and the head.
 */
function answer(outcome: LaneOutcome, decodeOutcome: (stored: StoredOutcome) => CommandOutcome): AppendOutcome {
  switch (outcome.kind) {
    case 'conflict':
      return outcome
    case 'repeated':
      return { kind: 'repeated', outcome: decodeOutcome(outcome.outcome) }
    case 'appended': {
      const { events, version, head } = outcome
      const last = events.at(-1)?.stored
      return {
        kind: 'appended',
        version,
        // The point of its own last event: who waits for it waits for nobody else's.
        head: last === undefined ? head : anchorOfEvent(last),
        get events() {
          return events.map(held => held.decoded())
        },
      }
    }
  }
}
