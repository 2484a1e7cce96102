import { BifoldError, type Position } from '../define/index.ts'
import type { Runtime } from '../log/index.ts'

/** Those who wait for one view to get somewhere. */
export interface Waits {
  /**
   * Resolves with true when these shards of the view (default: all) have reached `position`, and with false when `waitMs`
   * are over.
   *
   * @param orParked ends the wait with `parked` as soon as a look shows that some key of the shards stands still: who waits
   *   for that key waits for something that does not come by itself. With a number, only where that is not `marked` any
   *   more: who found that it was another key is told again when more were folded. Default false.
   */
  until(
    position: Position,
    waitMs: number,
    shards?: readonly number[],
    orParked?: boolean | number,
  ): Promise<boolean | 'parked'>
  /** A number that is another one when one of the shards was seen to move. */
  marked(shards?: readonly number[]): number
  /** Where the lowest of the shards was when they were last looked at. */
  reached(shards?: readonly number[]): Position
  /** Says that the shards have reached `position`: whoever has read them knows. */
  saw(position: Position, shards?: readonly number[]): void
  /** Says that one of the shards is no further than `position`, whatever was seen before. */
  fellTo(position: Position, shards?: readonly number[]): void
  /** The view may have moved. */
  moved(): void
  /** Ends every wait as if the view were there: another one serves, and who waits looks for himself. */
  letGo(): void
  /** Ends every wait with `query/closed`. */
  close(): void
}

export interface WaitsOptions {
  readonly runtime: Runtime
  /** How many shards the view has. Default 1. */
  readonly shards?: number
  /** Where each shard of the view is, from its store. */
  readonly look: () => Promise<readonly Position[]>
  /** Did the last look show that one of these shards has a key that stands still? Default: never. */
  readonly hasParked?: (shards: readonly number[]) => boolean
  /** How often to look, while somebody waits, beside the times that the store says so. Default 20. */
  readonly pollMs?: number
}

/**
 * However many wait, the view is looked at once for all of them: when the store says that it moved, when the first one
 * begins to wait, and from time to time, because what the store says is a hint and may be lost.
 */
export function createWaits(options: WaitsOptions): Waits {
  const { runtime, shards: count = 1, look, hasParked = () => false, pollMs = 20 } = options
  const waiting = new Set<Waiter>()
  const all = Array.from({ length: count }, (_, shard) => shard)
  const reached: Position[] = all.map(() => 0)
  let looking = false
  let lookAgain = false
  let cancelPoll = (): void => undefined
  // Waiting is nothing but timers, which keep no process alive.
  let mayEnd = (): void => undefined
  let closed = false

  const lowest = (shards: readonly number[]): Position => {
    let low = Number.POSITIVE_INFINITY
    for (const shard of shards) low = Math.min(low, reached[shard] ?? 0)
    return low
  }
  const marked = (shards: readonly number[]): number => shards.reduce((sum, shard) => sum + (reached[shard] ?? 0), 0)
  const endReached = (): void => {
    for (const waiter of waiting) {
      if (waiter.position <= lowest(waiter.shards)) waiter.end(true)
    }
  }
  const endParked = (): void => {
    for (const waiter of waiting) {
      const { orParked, shards } = waiter
      if (orParked !== false && orParked !== marked(shards) && hasParked(shards)) waiter.end('parked')
    }
  }
  const looked = (positions: readonly Position[]): void => {
    for (const shard of all) reached[shard] = positions[shard] ?? 0
    endReached()
    endParked()
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
      .then(looked, () => undefined)
      .then(() => {
        looking = false
        if (lookAgain) moved()
        else if (waiting.size > 0) cancelPoll = runtime.after(pollMs, moved)
      })
  }

  return {
    until: (position, waitMs, shards = all, orParked = false) => {
      if (position <= lowest(shards)) return Promise.resolve(true)
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
          shards,
          orParked,
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
    reached: (shards = all) => lowest(shards),
    marked: (shards = all) => marked(shards),
    saw: (position, shards = all) => {
      if (position <= lowest(shards)) return
      for (const shard of shards) reached[shard] = Math.max(reached[shard] ?? 0, position)
      endReached()
    },
    fellTo: (position, shards = all) => {
      for (const shard of shards) reached[shard] = Math.min(reached[shard] ?? 0, position)
    },
    moved,
    letGo: () => {
      for (const waiter of waiting) waiter.end(true)
    },
    close: () => {
      closed = true
      for (const waiter of waiting) waiter.fail(new BifoldError('query/closed', {}))
    },
  }
}

interface Waiter {
  readonly position: Position
  readonly shards: readonly number[]
  readonly orParked: boolean | number
  readonly end: (there: boolean | 'parked') => void
  readonly fail: (error: BifoldError) => void
}
