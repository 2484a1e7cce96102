import type { Runtime } from './runtime.ts'

/**
 * Judges whether the database and this process should work at the same time. That halves the batches: worth it while
 * a batch takes the database about as long as its callers take to come back, and not where it waits for a slow disk,
 * for which few large batches are best.
 */
export function makePace(runtime: Runtime) {
  // Measured with 256 callers: at six times what the callers need, one batch of all of them and two of half are even. The
  // process works while a batch is under way too, so twice would be far too strict.
  const share = 6
  let answeredAt = 0
  let batchMs = 0
  let callersMs = 0
  const smooth = (average: number, sample: number): number => average + (sample - average) / 8
  return {
    /** A batch goes; answers with what `answered` must be told. */
    started: (): number => {
      const startedAt = runtime.elapsed()
      // Times without any load say nothing.
      if (answeredAt > 0) callersMs = smooth(callersMs, Math.min(startedAt - answeredAt, 2 * batchMs))
      return startedAt
    },
    answered: (startedAt: number): void => {
      const now = runtime.elapsed()
      batchMs = smooth(batchMs, now - Math.max(startedAt, answeredAt))
      answeredAt = now
    },
    isOverlapWorthIt: (): boolean => batchMs <= share * callersMs,
  }
}
