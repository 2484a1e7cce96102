import { BifoldError, isError } from '../define/index.ts'
import type { Held } from './decode.ts'
import type { History } from './history.ts'
import type { LogLimits } from './limits.ts'
import type { Anchor, ShardFilter } from './log.ts'
import type { Runtime } from './runtime.ts'
import type { LogStorage, StoredEvent } from './storage.ts'
import { makeWindow } from './window.ts'

/** A page of the log as it is stored. */
export interface HeldPage {
  readonly events: readonly Held[]
  readonly through: Anchor
  readonly atHead: boolean
}

/** How everybody in this process reads the tail of the log, with one read for all of them. */
export interface Feed {
  /** Takes the events of a batch of this process, where they follow what is held; otherwise they are read. */
  handOver(events: readonly Held[], head: Anchor): void
  /** There may be events up to `head`, or beyond what is held. */
  notice(head?: number): void
  /**
   * @param shards far behind the head, what others need is left out; what is held here costs nothing.
   * @throws `log/rewound` where the event at `from` is another one.
   */
  read(from: Anchor, types: readonly string[] | undefined, maxEvents: number, shards?: ShardFilter): Promise<HeldPage>
  waitBeyond(position: number, signal: AbortSignal): Promise<void>
  /** Is this the point of an event that is held? Most tokens are: they are young. */
  holds(anchor: Anchor): boolean
  /** Lets everybody who waits look for themselves. */
  wakeAll(): void
  close(): void
}

export interface FeedContext {
  readonly storage: Pick<LogStorage, 'read' | 'head'>
  readonly history: History
  readonly runtime: Runtime
  readonly limits: LogLimits
  readonly hold: (stored: StoredEvent) => Held
  /** Is a batch of this process on its way? What is noticed meanwhile is most likely that batch. */
  readonly isAppending: () => boolean
  /** Looks at the head of the log, and whether it still is the same log. */
  readonly lookAtHead: () => Promise<Anchor>
}

const readEvents = 5000
/** So long a batch of this process may take before what was noticed meanwhile is taken for somebody else's. */
const ownBatchMs = 50

export function makeFeed(context: FeedContext, head: Anchor): Feed {
  const { storage, history, runtime, limits, hold } = context
  const window = makeWindow(limits)
  window.restart(head)
  // There may be events beyond the window: at first too, since nobody listened yet when the head was read.
  let behind = true
  let noticed = 0
  let refreshing: Promise<void> | undefined
  let closed = false
  const waiters = new Set<{ readonly position: number; readonly wake: () => void }>()
  let cancelPoll: (() => void) | undefined
  let cancelHear: (() => void) | undefined
  let pollMs = limits.minPollMs

  const isBeyond = (position: number): boolean => behind || window.last().position > position
  const wake = (all: boolean): void => {
    for (const waiter of waiters) if (all || isBeyond(waiter.position)) waiter.wake()
  }
  const fallBehind = (): void => {
    behind = true
    wake(false)
  }
  /** Something lies behind the window: where a batch of this process is on its way, most likely that, unless it takes long. */
  const hear = (position: number): void => {
    noticed = Math.max(noticed, position)
    if (!context.isAppending()) return fallBehind()
    cancelHear ??= runtime.after(ownBatchMs, () => {
      cancelHear = undefined
      if (noticed > window.last().position) fallBehind()
    })
  }

  /** Reads what follows the window, once for all who ask meanwhile. */
  const refresh = (from: Anchor): Promise<void> => {
    if (refreshing !== undefined) {
      // A reader from another history is refused alone: who waited with it looks again.
      return refreshing.catch(error => {
        if (isError(error, 'log/rewound')) return refresh(from)
        throw error
      })
    }
    refreshing = readBehind(from).finally(() => {
      refreshing = undefined
    })
    return refreshing
  }
  const readBehind = async (from: Anchor): Promise<void> => {
    behind = false
    try {
      const page = await storage.read(from, undefined, readEvents)
      history.saw(page.through)
      if (window.last().position < from.position) window.restart(from)
      window.extend(page.events.map(hold))
      if (!page.atHead) behind = true
    } catch (error) {
      fallBehind()
      throw error
    }
    wake(false)
  }

  const read: Feed['read'] = async (from, types, maxEvents, shards) => {
    const wanted = types === undefined ? undefined : new Set(types)
    for (let refreshed = false; ; refreshed = true) {
      if (from.position < window.base().position || isFar(from)) return readFar(from, types, maxEvents, shards)
      const at = window.anchorAt(from.position)
      const isLast = from.position === window.last().position
      if (at !== undefined && at.fingerprint !== from.fingerprint) {
        throw new BifoldError('log/rewound', { position: from.position })
      }
      if (at !== undefined && (!isLast || refreshed || !behind)) {
        const slice = window.after(from.position, wanted, maxEvents)
        return { ...slice, atHead: !behind && slice.through.position === window.last().position }
      }
      await refresh(from)
    }
  }
  /** So far behind the head that the window would not hold what lies between: a filter then spares more than it costs. */
  const isFar = (from: Anchor): boolean =>
    from.position >= window.last().position &&
    Math.max(noticed, history.known().position) - from.position > limits.windowEvents
  const readFar: Feed['read'] = async (from, types, maxEvents, shards) => {
    const page = await storage.read(from, types, maxEvents, shards)
    history.saw(page.through)
    return { ...page, events: page.events.map(hold) }
  }

  const schedulePoll = (): void => {
    if (cancelPoll !== undefined || waiters.size === 0 || closed) return
    cancelPoll = runtime.after(pollMs, () => {
      void poll().finally(() => {
        cancelPoll = undefined
        schedulePoll()
      })
    })
  }
  const poll = async (): Promise<void> => {
    try {
      const { position } = await context.lookAtHead()
      const found = position > window.last().position
      pollMs = found ? limits.minPollMs : Math.min(pollMs * 2, limits.maxPollMs)
      if (found) hear(position)
    } catch {
      // Whoever reads hears of it.
      pollMs = limits.maxPollMs
    }
  }

  return {
    handOver: (events, { position }) => {
      const taken = window.extend(events)
      if (!taken || Math.max(noticed, position) > window.last().position) fallBehind()
      else wake(false)
    },
    notice: position => {
      if (position === undefined) fallBehind()
      else if (position > window.last().position) {
        hear(position)
      }
    },
    read,
    waitBeyond: (position, signal) => {
      if (closed || signal.aborted || history.isRewound() || isBeyond(position)) return Promise.resolve()
      return new Promise(resolve => {
        const waiter = {
          position,
          wake: () => {
            waiters.delete(waiter)
            signal.removeEventListener('abort', waiter.wake)
            resolve()
          },
        }
        waiters.add(waiter)
        signal.addEventListener('abort', waiter.wake)
        schedulePoll()
      })
    },
    holds: ({ position, fingerprint }) => window.anchorAt(position)?.fingerprint === fingerprint,
    wakeAll: () => wake(true),
    close: () => {
      closed = true
      cancelPoll?.()
      cancelHear?.()
      wake(true)
    },
  }
}
