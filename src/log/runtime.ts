/**
 * What the engine takes from outside: time, chance, scheduling. They are arguments, so that a seeded simulator can
 * drive all of it.
 */
export interface Runtime {
  /** Milliseconds since the epoch. For people and for time-ordered ids; nothing is judged by it. */
  readonly now: () => number
  /** Milliseconds of a clock that never goes back. */
  readonly elapsed: () => number
  /** A number from 0 up to, and without, 1. */
  readonly random: () => number
  /** Calls `run` once after `delayMs`. Answers with what cancels it. A timer keeps no process alive. */
  readonly after: (delayMs: number, run: () => void) => () => void
  /** Resolves when the work that is ready now has had its turn. */
  readonly turn: () => Promise<void>
  /** Keeps the process alive until what it answers with is called: for accepted work that waits on a timer. */
  readonly stayAlive: () => () => void
}

export const systemRuntime: Runtime = {
  now: () => Date.now(),
  elapsed: () => performance.now(),
  random: () => Math.random(),
  after: (delayMs, run) => {
    const timer = setTimeout(run, delayMs)
    timer.unref()
    return () => clearTimeout(timer)
  },
  turn: () => new Promise(resolve => setImmediate(resolve)),
  stayAlive: () => {
    const timer = setInterval(() => undefined, 2 ** 30)
    return () => clearInterval(timer)
  },
}
