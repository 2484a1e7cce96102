import { BifoldError, isError } from '../define/index.ts'
import { type Anchor, type EventLog, origin, type Page, type Runtime } from '../log/index.ts'
import { backoffMs } from './backoff.ts'
import { nextBatchEvents } from './batch-size.ts'
import { describeFailure, Failed, isUnreadable } from './describe-failure.ts'
import { makeFolding } from './fold.ts'
import type { ProjectorLimits } from './limits.ts'
import { type Batch, prepareBatch } from './prepare-batch.ts'
import { makeRowCache } from './row-cache.ts'
import type { ShardStatus } from './status.ts'
import type { View, ViewShape } from './store.ts'

export interface ShardContext {
  readonly shape: ViewShape
  readonly shard: number
  readonly view: View
  readonly log: EventLog
  readonly runtime: Runtime
  readonly limits: ProjectorLimits
}

/** One shard of a projection being carried on. */
export interface RunningShard {
  status(): ShardStatus
  /** Finishes and commits what is under way. */
  stop(): Promise<void>
}

/** A session ended because another process holds the shard. */
class Superseded extends Error {
  readonly epoch: number
  constructor(epoch: number) {
    super(`epoch ${epoch}`)
    this.epoch = epoch
  }
}

/** A session ended because a commit found another checkpoint than it expected. */
class Fenced extends Error {}

/**
 * Carries one shard of a projection on: claims it, and then reads, folds and writes, a page at a time, while the page before
 * is being written and the page after is being read. Whatever goes wrong ends the session; the next one begins at the
 * checkpoint with nothing in memory.
 *
 * Who carries a shard on, where several processes could: the newest claim wins. Starting claims; whoever finds a
 * newer epoch than its own stands by, and claims again only when the log has moved on and the checkpoint has not for
 * `takeoverMs`. The fence keeps this safe whatever the clocks say.
 */
export function runShard({ shape, shard, view, log, runtime, limits }: ShardContext): RunningShard {
  const { projection } = shape
  const folding = makeFolding(shape, shard)
  const cache = makeRowCache(limits.cacheBytes)
  const types = Object.keys(projection.on)
  const stopping = new AbortController()
  let state: ShardStatus['state'] = 'starting'
  let failure: ShardStatus['failure']
  let written: Anchor = origin
  /** Of the last claim; 0 where there is none, so that the next one needs no permission. */
  let epoch = 0
  let batchEvents = limits.minBatchEvents
  let attempts = 0

  async function claim(): Promise<Anchor> {
    if (epoch > 0) {
      const found = await view.checkpoint(shard)
      if (found.epoch > epoch) throw new Superseded(found.epoch)
    }
    // A claim whose answer is lost may have been made: the next one must not take it for another process's.
    epoch = 0
    const { epoch: claimed, ...at } = await view.claim(shard)
    epoch = claimed
    written = at
    return at
  }

  async function session(): Promise<void> {
    let committed = await claim()
    /** Up to here the log was read; beyond `committed` it held nothing for this view. */
    let cursor = committed
    let movedAt = Number.NEGATIVE_INFINITY
    let writing: Promise<void> = Promise.resolve()
    let next: Promise<Page> | undefined
    cache.clear(committed.position === 0)

    const read = (from: Anchor): Promise<Page> => log.read(from, { types, maxEvents: batchEvents })
    const write = (batch: Pick<Batch, 'to' | 'upserts' | 'deletes'>): void => {
      const from = committed
      const { to, upserts, deletes } = batch
      committed = to
      movedAt = runtime.elapsed()
      writing = view.commit({ shard, epoch, from, to, upserts, deletes }).then(outcome => {
        if (outcome === 'fenced') throw new Fenced()
        written = to
      })
      writing.catch(() => undefined)
    }
    /** Waits for events; where the checkpoint is behind the cursor, no longer than until it may be moved. */
    const idle = async (): Promise<void> => {
      const held = cursor.position > committed.position
      // A log in memory answers within microtasks: whatever else waits has its turn here.
      await runtime.turn()
      // Stopped meanwhile: a signal that is aborted already tells nobody any more.
      if (stopping.signal.aborted) return
      const dueMs = movedAt + limits.emptyMoveMs - runtime.elapsed()
      if (held && dueMs <= 0) return write({ to: cursor, upserts: [], deletes: [] })
      const waited = new AbortController()
      const wake = (): void => waited.abort()
      const cancel = held ? runtime.after(dueMs, wake) : undefined
      stopping.signal.addEventListener('abort', wake)
      await log.waitBeyond(cursor.position, waited.signal)
      stopping.signal.removeEventListener('abort', wake)
      cancel?.()
    }

    try {
      while (!stopping.signal.aborted) {
        const page = await (next ?? read(cursor))
        next = undefined
        if (page.through.position === cursor.position) {
          await writing
          recovered('live')
          await idle()
          continue
        }
        if (stopping.signal.aborted) break
        if (!page.atHead) {
          next = read(page.through)
          next.catch(() => undefined)
        }
        const batch = await prepareBatch(page, cursor, { folding, view, cache, runtime, turnEvents: limits.turnEvents })
        await writing
        cursor = batch.to
        const isEmpty = batch.upserts.length === 0 && batch.deletes.length === 0
        if (!isEmpty || (!page.atHead && batch.failure === undefined)) write(batch)
        if (batch.failure !== undefined) {
          await writing
          throw new Failed(batch.failure)
        }
        recovered(page.atHead ? 'live' : 'catching-up')
        const events = page.events.length
        const { writtenBytes } = batch
        batchEvents = nextBatchEvents(batchEvents, { events, writtenBytes, atHead: page.atHead }, limits)
      }
      if (cursor.position > committed.position) {
        await writing
        write({ to: cursor, upserts: [], deletes: [] })
      }
    } finally {
      // What is on its way is over before the next session claims, or the process ends.
      await writing.catch(() => undefined)
    }
    await writing
  }

  function recovered(now: 'live' | 'catching-up'): void {
    state = now
    failure = undefined
    attempts = 0
  }

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      try {
        await session()
      } catch (error) {
        if (!(await survive(error))) return
      }
    }
    state = 'stopped'
  }

  /** Makes the best of an error. Answers whether to go on. */
  async function survive(error: unknown): Promise<boolean> {
    if (error instanceof Fenced) return true
    if (error instanceof Superseded) {
      return standBy(error.epoch).then(() => true, survive)
    }
    if (isError(error, 'log/rewound') || isError(error, 'log/closed')) {
      state = 'stopped'
      if (error.code === 'log/rewound') failure = { code: error.code, message: error.message, attempts: 1 }
      return false
    }
    attempts++
    if (isError(error, 'log/connection-lost') || isError(error, 'project/store-unreachable')) {
      // The database is away: that says nothing about the fold, and it stays what it was.
      await sleep(backoffMs(attempts, runtime.random(), limits.reconnect))
      return true
    }
    if (isUnreadable(error) && batchEvents > 1) {
      // Some event of the page cannot be read: smaller pages bring everything before it into the view.
      batchEvents = Math.floor(batchEvents / 2)
      attempts = 0
      return true
    }
    const retryInMs = backoffMs(attempts, runtime.random(), limits.retry)
    failure = { ...describeFailure(projection.name, error), attempts, retryInMs }
    state = 'failed'
    await sleep(retryInMs)
    return true
  }

  /** Returns when the process that holds the shard has fallen silent, or this one is to stop. */
  async function standBy(other: number): Promise<void> {
    const coded = new BifoldError('project/superseded', { projection: projection.name, epoch: other })
    state = 'stopped'
    failure = { code: coded.code, message: coded.message, attempts: 1 }
    let seen = { position: -1, epoch: other }
    let silentSince = runtime.elapsed()
    while (!stopping.signal.aborted) {
      await sleep((limits.takeoverMs / 10) * (0.5 + runtime.random()))
      try {
        const [found, head] = await Promise.all([view.checkpoint(shard), log.head()])
        const isSilent =
          found.position === seen.position && found.epoch === seen.epoch && head.position > found.position
        if (!isSilent) silentSince = runtime.elapsed()
        seen = found
        written = found
        if (runtime.elapsed() - silentSince < limits.takeoverMs) continue
      } catch (error) {
        if (isError(error, 'log/rewound') || isError(error, 'log/closed')) throw error
        silentSince = runtime.elapsed()
        continue
      }
      epoch = 0
      return
    }
  }

  function sleep(delayMs: number): Promise<void> {
    if (stopping.signal.aborted) return Promise.resolve()
    return new Promise(resolve => {
      const done = (): void => {
        cancel()
        stopping.signal.removeEventListener('abort', done)
        resolve()
      }
      const cancel = runtime.after(delayMs, done)
      stopping.signal.addEventListener('abort', done)
    })
  }

  const running = run()
  return {
    status: () => ({
      shard,
      state,
      position: written.position,
      ...(failure !== undefined && { failure }),
    }),
    stop: async () => {
      stopping.abort()
      await running
    },
  }
}
