import { BifoldError, type Position } from '../define/index.ts'
import type { EventLog, Runtime } from '../log/index.ts'
import type { ProjectionStatus } from '../project/index.ts'
import { checkOptions } from './check-arguments.ts'

export interface DrainOptions {
  /** How long it may take; then `run/drain-timeout`. Default 30000. */
  readonly timeoutMs?: number
}

export interface DrainContext {
  readonly log: Pick<EventLog, 'head'>
  readonly runtime: Runtime
  readonly status: () => Promise<readonly ProjectionStatus[]>
  readonly isClosing: () => boolean
}

const minPauseMs = 2
const maxPauseMs = 50

/**
 * Waits until every projection has committed everything that was in the log when this was called, in whatever process it
 * is carried on. Nothing is waited for that is appended later: a busy log cannot keep this from its end.
 *
 * It looks where they stand, at first often, then every 50 ms: that is right whoever carries them on, and what counts is
 * what is committed.
 */
export async function drain(context: DrainContext, options: DrainOptions): Promise<Position> {
  // Without this, a wait for `NaN` milliseconds would never be over.
  checkOptions('drain', options)
  const { timeoutMs = 30_000 } = options
  const { log, runtime, status, isClosing } = context
  const started = runtime.elapsed()
  // Nothing else might keep the process alive until it is done.
  const mayEnd = runtime.stayAlive()
  try {
    const { position } = await log.head()
    for (let pauseMs = minPauseMs; ; pauseMs = Math.min(pauseMs * 2, maxPauseMs)) {
      const behind = (await status()).filter(projection => projection.position < position)
      if (behind.length === 0) return position
      if (isClosing()) throw new BifoldError('run/closed', {})
      const waitedMs = Math.round(runtime.elapsed() - started)
      if (waitedMs >= timeoutMs) throw timedOut(position, waitedMs, behind)
      await new Promise<void>(resolve => {
        runtime.after(Math.min(pauseMs, timeoutMs - waitedMs), resolve)
      })
    }
  } finally {
    mayEnd()
  }
}

function timedOut(position: Position, waitedMs: number, behind: readonly ProjectionStatus[]): BifoldError {
  return new BifoldError('run/drain-timeout', {
    position,
    waitedMs,
    behind: behind.map(({ projection, position: reached, state, failure }) => ({
      projection,
      reached,
      state,
      ...(failure === undefined ? {} : { failure: failure.code }),
    })),
  })
}
