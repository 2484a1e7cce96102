import type { Folded } from './fold.ts'

/** The folded states that a process holds, the least recently used leaving first. */
export interface States {
  get(stream: string): Folded | undefined
  /** Keeps a state that was read since `epoch`; one that is older than the last `clear` is not kept. */
  keep(stream: string, folded: Folded, epoch: number): void
  drop(stream: string): void
  /** Forgets everything, and what is being read at the moment too. */
  clear(): void
  /** Counts the times that everything was forgotten. */
  epoch(): number
}

/** @param maxStates how many streams' states are held; 0 holds none. */
export function createStates(maxStates: number): States {
  // A Map keeps the order of insertion: what was used moves to the end, what leaves is the first.
  const held = new Map<string, Folded>()
  let epoch = 0
  return {
    get: stream => {
      const folded = held.get(stream)
      if (folded === undefined) return undefined
      held.delete(stream)
      held.set(stream, folded)
      return folded
    },
    keep: (stream, folded, readSince) => {
      // A stream without events is not held: anybody can name any number of them.
      if (readSince !== epoch || folded.version === 0) return
      held.delete(stream)
      held.set(stream, folded)
      if (held.size <= maxStates) return
      const oldest = held.keys().next()
      if (oldest.done !== true) held.delete(oldest.value)
    },
    drop: stream => {
      held.delete(stream)
    },
    clear: () => {
      held.clear()
      epoch++
    },
    epoch: () => epoch,
  }
}
