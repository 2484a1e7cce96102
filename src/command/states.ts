import type { Folded } from './fold.ts'

/** The folded states that a process holds, the least recently used leaving first. */
export interface States {
  /** @throws `command/evolve-failed` where the state was kept unfolded, and cannot be folded. */
  get(stream: string): Folded | undefined
  /**
   * Keeps the state of a stream that has events, if it was read since `epoch`: one that is older than the last `clear`
   * is not kept. It may be given unfolded, and is then folded when it is needed: for many streams that is never.
   */
  keep(stream: string, state: Folded | (() => Folded), epoch: number): void
  /** Forgets everything, and what is being read at the moment too. */
  clear(): void
  /** Counts the times that everything was forgotten. */
  epoch(): number
}

/** @param maxStates how many streams' states are held; 0 holds none. */
export function createStates(maxStates: number): States {
  // A Map keeps the order of insertion: what was used moves to the end, what leaves is the first.
  const held = new Map<string, Folded | (() => Folded)>()
  let epoch = 0
  return {
    get: stream => {
      const state = held.get(stream)
      if (state === undefined) return undefined
      held.delete(stream)
      const folded = typeof state === 'function' ? state() : state
      held.set(stream, folded)
      return folded
    },
    keep: (stream, state, readSince) => {
      if (readSince !== epoch) return
      held.delete(stream)
      held.set(stream, state)
      if (held.size <= maxStates) return
      const oldest = held.keys().next()
      if (oldest.done !== true) held.delete(oldest.value)
    },
    clear: () => {
      held.clear()
      epoch++
    },
    epoch: () => epoch,
  }
}
