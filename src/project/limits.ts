import { type BackoffLimits, defaultBackoff } from './backoff.ts'
import { type BatchLimits, defaultBatchLimits } from './batch-size.ts'

/** Bounds of a projector. All have a default. */
export interface ProjectorLimits extends BatchLimits {
  /** Documents of rows held in this process, shared out evenly between its projections. Default 128 MiB. */
  readonly cacheBytes: number
  /**
   * How often a checkpoint may be moved over events that change none of its rows. Default 20: the first move is at once,
   * and a busy log does not update every checkpoint at every event.
   */
  readonly emptyMoveMs: number
  /** Events folded before everything else in the process has its turn. Default 500. */
  readonly turnEvents: number
  /** Between retries of what failed. Default 100 to 30000. */
  readonly retry: BackoffLimits
  /** Between tries to reach a log or a store that is gone. Default 50 to 2000. */
  readonly reconnect: BackoffLimits
  /** How long the process that took a projection over has to be silent before this one takes it back. Default 30000. */
  readonly takeoverMs: number
}

export const defaultProjectorLimits: ProjectorLimits = {
  ...defaultBatchLimits,
  cacheBytes: 128 * 2 ** 20,
  emptyMoveMs: 20,
  turnEvents: 500,
  retry: defaultBackoff,
  reconnect: { minDelayMs: 50, maxDelayMs: 2000 },
  takeoverMs: 30_000,
}
