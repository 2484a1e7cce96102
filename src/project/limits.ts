import { type AppendLimits, defaultAppendLimits } from './append-limits.ts'
import { type BackoffLimits, defaultBackoff } from './backoff.ts'
import { type BatchLimits, defaultBatchLimits } from './batch-size.ts'
import { defaultJoinLimits, type JoinLimits } from './join-limits.ts'
import { defaultLeaseLimits, type LeaseLimits } from './lease-limits.ts'
import { defaultLoadLimits, type LoadLimits } from './load-budget.ts'

/** Bounds of a projector. All have a default. */
export interface ProjectorLimits extends AppendLimits, BatchLimits, JoinLimits, LeaseLimits {
  /** Documents of rows held in this process, shared out evenly between its projections. Default 128 MiB. */
  readonly cacheBytes: number
  /**
   * How often a checkpoint may be moved over events that change none of its rows. Default 20: the first move is at once,
   * and a busy log does not update every checkpoint at every event.
   */
  readonly emptyMoveMs: number
  /**
   * Far behind the head, a process decides for so many positions at once of which streams it reads the events: of those
   * of its own shards, where these are the keys. No page goes beyond them. Default 20000.
   */
  readonly stretchEvents: number
  /** Events folded, or rows made, before everything else in the process has its turn, which it has after 20 ms too. Default 500. */
  readonly turnEvents: number
  /** Between retries of what failed. Default 100 to 30000. */
  readonly retry: BackoffLimits
  /** How often an event is folded in vain before its key is parked. Default 3; 1 parks at once. */
  readonly foldAttempts: number
  /** Dead letters of one generation of a projection. With more the shard stops, and drops none. Default 10000. */
  readonly maxParkedEvents: number
  /** How often the holder of a parked key looks what it is asked to do with it. Default 200. */
  readonly requestPollMs: number
  /** Between tries to reach a log or a store that is gone. Default 50 to 2000. */
  readonly reconnect: BackoffLimits
  readonly rebuild: RebuildLimits
}

/** How a new generation of a view is built, and takes the place of the one before. */
export interface RebuildLimits extends LoadLimits {
  /** `auto`: a new generation serves as soon as it has caught up. `manual`: when `system.swap` says so. Default auto. */
  readonly swap: 'auto' | 'manual'
  /**
   * How long no process may have followed a generation that served before the last one, or that another release has left
   * unfinished, for it to be dropped. Default 60000. `Infinity` keeps all.
   */
  readonly retireAfterMs: number
  /**
   * How long no process may have followed the generation that serves, for one that this process follows to serve in its
   * place. Default 10000. `Infinity`: only by hand.
   */
  readonly returnAfterMs: number
}

export const defaultRebuildLimits: RebuildLimits = {
  ...defaultLoadLimits,
  swap: 'auto',
  retireAfterMs: 60_000,
  returnAfterMs: 10_000,
}

export const defaultProjectorLimits: ProjectorLimits = {
  ...defaultAppendLimits,
  ...defaultBatchLimits,
  ...defaultJoinLimits,
  cacheBytes: 128 * 2 ** 20,
  emptyMoveMs: 20,
  stretchEvents: 20_000,
  turnEvents: 500,
  retry: defaultBackoff,
  foldAttempts: 3,
  maxParkedEvents: 10_000,
  requestPollMs: 200,
  reconnect: { minDelayMs: 50, maxDelayMs: 2000 },
  ...defaultLeaseLimits,
  rebuild: defaultRebuildLimits,
}
