import { type BifoldError, isError } from '../define/index.ts'
import { type Anchor, type EventLog, origin, type Runtime } from '../log/index.ts'
import { backoffMs } from './backoff.ts'
import { runBatchSession } from './batch-session.ts'
import { loadInBulk } from './bulk-load.ts'
import { describeFailure, isOutage, isUnreadable, pausedFailure, stateWith } from './describe-failure.ts'
import { makeFolding } from './fold.ts'
import { type HoldContext, untilResumed, watchHold } from './hold-watch.ts'
import { makeJoin, type ReferredView } from './join.ts'
import type { KeysOf } from './keys-of.ts'
import type { Hold, LeaseKeeper } from './lease-keeper.ts'
import type { ProjectorLimits } from './limits.ts'
import type { LoadBudget } from './load-budget.ts'
import { pause } from './pause.ts'
import { makeRowCache } from './row-cache.ts'
import { Fenced, type HeldShard, runSession, type SessionContext, type ShardProgress } from './shard-session.ts'
import type { Failure, ShardStatus } from './status.ts'
import type { ShardCheckpoint, View, ViewShape, ViewStore } from './store.ts'
import { makeTurns } from './turns.ts'

export interface ShardContext {
  readonly shape: ViewShape
  readonly shard: number
  /** Of the projection: all of its shards divide pages by it. */
  readonly keysOf: KeysOf
  /** The shards of the projection that this process carries on just now. */
  readonly carried: Set<number>
  readonly view: View
  readonly log: EventLog
  /** As that of the log, for the pages that this shard folds: what it does not need may be left out. */
  readonly read: EventLog['read']
  /** Of the process: its `turn` lets all shards that give way go on one by one. */
  readonly runtime: Runtime
  readonly limits: ProjectorLimits
  readonly budget: LoadBudget
  /** Aborted when the generation has served: until then it is being built, within the budget. */
  readonly served: AbortSignal
  readonly store: HoldContext['store'] & Pick<ViewStore, 'onMoved'>
  readonly leases: LeaseKeeper
  /** The views to whose rows those of this one refer. */
  readonly referred: readonly ReferredView[]
}

/** One shard of a projection being carried on. */
export interface RunningShard {
  status(): ShardStatus
  /** Is it another process's turn? */
  standsBy(): boolean
  /** Tells a shard that stands by where it is, and what stops it there. */
  saw(at: Anchor & Pick<ShardCheckpoint, 'failure'>): void
  /** Finishes and commits what is under way. */
  stop(): Promise<void>
}

/** The longest pause of a shard that stands still and has parked keys. */
const maxPauseMs = 1000

/**
 * Carries one shard of a projection on: takes it when it is this process's turn, and lets sessions follow each other.
 * Whatever goes wrong ends a session; here it is decided whether, when and how the next one begins.
 *
 * Whose turn it is, the lease says. It is no fence: what keeps a process from writing that has lost its lease and does not
 * know it is the epoch, which every take raises.
 */
export function runShard(given: ShardContext): RunningShard {
  const { shape, shard, keysOf, carried, view, log, read, runtime, limits, store, budget, served, leases, referred } =
    given
  const { projection } = shape
  const stopping = new AbortController()
  const progress: ShardProgress = {
    state: 'starting',
    written: origin,
    batchEvents: limits.minBatchEvents,
    attempts: 0,
    parkedKeys: 0,
    failing: new Map(),
  }
  // That it is paused, the store knows.
  const seat = leases.seat(view, shard, () => (progress.state === 'paused' ? undefined : progress.failure))
  /** What another process says of the shard. */
  let elsewhere: Failure | undefined
  const folding = makeFolding(shape, shard, keysOf)
  const turns = makeTurns({ runtime, turnEvents: limits.turnEvents, ran: seat.ran })
  const refKeys = folding.stages?.refKeys
  const { dependents } = view
  const context: SessionContext = {
    ...{
      projection: projection.name,
      shard,
      view,
      log,
      read,
      runtime,
      limits,
      budget,
      served,
      progress,
      stopping: stopping.signal,
    },
    ...{ folding, turns, failed: seat.failed },
    ...(refKeys !== undefined && {
      openJoin: maxRefChars =>
        makeJoin({
          ...{ referred, refKeys, turns, dependents, shard, log, runtime, limits, onMoved: store.onMoved },
          ...(maxRefChars !== undefined && { maxRefChars }),
        }),
    }),
    cache: makeRowCache(limits.cacheBytes),
    types: Object.keys(projection.on),
    isWithAppend: projection.commit === 'with-append',
  }
  const holding: HoldContext = { store, view, shard, runtime }
  const isPaused = async (): Promise<boolean> => (await store.paused()).has(projection.name)
  let hold: Hold | undefined
  let isWaiting = false

  /** Waits until it is this process's turn. `undefined`: this is to stop. */
  async function take(): Promise<HeldShard | undefined> {
    isWaiting = true
    hold = await seat.take(stopping.signal).finally(() => {
      isWaiting = false
    })
    if (hold === undefined) return undefined
    const { epoch, ...at } = hold.checkpoint
    progress.written = at
    return { epoch, at }
  }

  async function run(): Promise<void> {
    await sessions()
    // Whatever it is that ended this, another process may go on where this one stands.
    await seat.close()
  }

  async function sessions(): Promise<void> {
    while (!stopping.signal.aborted) {
      // What is to be handed over is given up with the next take. Where the store is away until then, that is waited for.
      if (hold?.letGo.aborted === true) hold = undefined
      try {
        if (await isPaused()) {
          await standPaused()
          continue
        }
        const held = await take()
        if (held === undefined) break
        // Paused before it was taken: nothing has fenced that.
        if (await isPaused()) continue
        const watch = watchHold(holding, held.epoch, ending())
        carried.add(shard)
        await carryOn(held, { ...context, stopping: watch.signal }).finally(() => {
          carried.delete(shard)
          watch.end()
        })
      } catch (error) {
        if (!(await survive(error))) return
      }
    }
    progress.state = 'stopped'
  }

  async function carryOn(held: HeldShard, own: SessionContext): Promise<void> {
    if (projection.batch !== undefined) return runBatchSession(held, projection.batch.handle, own)
    return runSession(await loadInBulk(held, own), own)
  }

  /** Aborted when the shard is to be handed over, or this is to stop. */
  function ending(): AbortSignal {
    return hold === undefined ? stopping.signal : AbortSignal.any([stopping.signal, hold.letGo])
  }

  /** Returns when the projection may have been resumed, or this is to stop. */
  async function standPaused(): Promise<void> {
    progress.state = 'paused'
    progress.failure = pausedFailure(projection.name)
    progress.written = await view.checkpoint(shard)
    await untilResumed(holding, stopping.signal)
  }

  /** Makes the best of an error. Answers whether to go on. */
  async function survive(error: unknown): Promise<boolean> {
    if (error instanceof Fenced) {
      // Where a batch takes longer than the lease, two processes would fence each other with it for ever.
      if (error.events > 0) progress.batchEvents = Math.max(1, Math.floor(error.events / 2))
      return true
    }
    if (isError(error, 'log/closed')) {
      progress.state = 'stopped'
      return false
    }
    if (isError(error, 'log/rewound') || isError(error, 'project/generation-dropped')) {
      const { code, message } = (await findRewound()) ?? error
      progress.state = 'stopped'
      progress.failure = { code, message, attempts: 1 }
      return false
    }
    progress.attempts++
    if (isOutage(error)) {
      // The database is away: that says nothing about the fold, and it stays what it was.
      await sleep(backoffMs(progress.attempts, runtime.random(), limits.reconnect))
      return true
    }
    const isFull = isError(error, 'project/dead-letters-full')
    const isOfPage = isUnreadable(error) || isFull || isError(error, 'project/batch-failed')
    if (isOfPage && progress.batchEvents > 1) {
      // Some event of the page cannot be read, handled, or parked: smaller pages bring everything before it into the view.
      progress.batchEvents = Math.floor(progress.batchEvents / 2)
      progress.attempts = 0
      return true
    }
    if (isError(error, 'project/store-busy')) {
      // It may have been too much at once, for a time-out of the database.
      const tooMany = Math.min(progress.refusedEvents || progress.batchEvents, progress.batchEvents)
      progress.batchEvents = Math.max(1, Math.floor(tooMany / 2))
      delete progress.refusedEvents
    }
    const backoff = backoffMs(progress.attempts, runtime.random(), limits.retry)
    // What is asked for with parked keys is not to wait for that.
    const retryInMs = progress.parkedKeys > 0 ? Math.min(backoff, maxPauseMs) : backoff
    progress.failure = { ...describeFailure(projection.name, error), attempts: progress.attempts, retryInMs }
    progress.state = stateWith(progress.failure)
    seat.failed()
    await sleep(retryInMs)
    return true
  }

  /** Where the database was restored to before the generation was made, that it is gone is not the cause. */
  async function findRewound(): Promise<BifoldError | undefined> {
    try {
      await log.head()
      return undefined
    } catch (error) {
      return isError(error, 'log/rewound') ? error : undefined
    }
  }

  const sleep = (delayMs: number): Promise<void> => pause(runtime, delayMs, ending())

  const standsBy = (): boolean => isWaiting && seat.standsBy()
  const running = run()
  return {
    status: () => {
      const { written, state, catchUp, parkedKeys } = progress
      const owner = seat.holder()
      const untold = isWaiting ? seat.failure() : undefined
      const failure = untold ?? progress.failure
      const warning = seat.warning()
      return {
        shard,
        position: written.position,
        ...(standsBy() && untold === undefined
          ? { state: 'standby' as const, ...(elsewhere !== undefined && { failure: elsewhere }) }
          : {
              state: untold === undefined ? state : ('failed' as const),
              ...(catchUp !== undefined && { catchUp }),
              ...(parkedKeys > 0 && { parkedKeys }),
              ...(failure !== undefined && { failure }),
            }),
        ...(owner !== undefined && { owner }),
        ...(warning !== undefined && { warning: { code: warning.code, message: warning.message } }),
      }
    },
    standsBy,
    saw: ({ failure, ...at }) => {
      if (!standsBy()) return
      progress.written = at
      elsewhere = failure
    },
    stop: async () => {
      stopping.abort()
      await running
    },
  }
}
