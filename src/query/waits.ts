import { BifoldError, type Position } from '../define/index.ts'
import type { Runtime } from '../log/index.ts'

/** Those who wait for one view to get somewhere. */
export interface Waits {
  /** Resolves with true when the view has reached `position`, and with false when `waitMs` are over. */
  until(position: Position, waitMs: number): Promise<boolean>
  /** Where the view was when it was last looked at. */
  reached(): Position
  /** Says where the view is; whoever has read it knows. */
  saw(position: Position): void
  /** The view may have moved. */
  moved(): void
  /** Ends every wait with `query/closed`. */
  close(): void
}

export interface WaitsOptions {
  readonly runtime: Runtime
  /** Where the view is, from its store. */
  readonly look: () => Promise<Position>
  /** How often to look, while somebody waits, beside the times that the store says so. Default 20. */
  readonly pollMs?: number
}

/**
 * However many wait, the view is looked at once for all of them: when the store says that it moved, when the first one
 * begins to wait, and from time to time, because what the store says is a hint and may be lost.
 */
export function createWaits({ runtime, look, pollMs = 20 }: WaitsOptions): Waits {
  const waiting = new Set<Waiter>()
  let reached: Position = 0
  let looking = false
  let lookAgain = false
  let cancelPoll = (): void => undefined
  // Waiting is nothing but timers, which keep no process alive.
  let mayEnd = (): void => undefined
  let closed = false

  const saw = (position: Position): void => {
    reached = position
    for (const waiter of waiting) {
      if (waiter.position <= position) waiter.end(true)
    }
  }

  const moved = (): void => {
    if (waiting.size === 0) return
    if (looking) {
      lookAgain = true
      return
    }
    looking = true
    lookAgain = false
    cancelPoll()
    // A look that fails is made again; who waits hears of it at the latest when the time is over.
    void look()
      .then(saw, () => undefined)
      .then(() => {
        looking = false
        if (lookAgain) moved()
        else if (waiting.size > 0) cancelPoll = runtime.after(pollMs, moved)
      })
  }

  return {
    until: (position, waitMs) => {
      if (position <= reached) return Promise.resolve(true)
      if (closed) return Promise.reject(new BifoldError('query/closed', {}))
      return new Promise((resolve, reject) => {
        const cancelTimeout = runtime.after(waitMs, () => waiter.end(false))
        const end = (): void => {
          cancelTimeout()
          waiting.delete(waiter)
          if (waiting.size > 0) return
          cancelPoll()
          mayEnd()
        }
        const waiter: Waiter = {
          position,
          end: there => {
            end()
            resolve(there)
          },
          fail: error => {
            end()
            reject(error)
          },
        }
        waiting.add(waiter)
        if (waiting.size > 1) return
        mayEnd = runtime.stayAlive()
        moved()
      })
    },
    reached: () => reached,
    saw,
    moved,
    close: () => {
      closed = true
      for (const waiter of waiting) waiter.fail(new BifoldError('query/closed', {}))
    },
  }
}

interface Waiter {
  readonly position: Position
  readonly end: (there: boolean) => void
  readonly fail: (error: BifoldError) => void
}
