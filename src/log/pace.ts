import type { Runtime } from './runtime.ts'

/**
 * Judges whether the database and this process should work at the same time. That halves the batches: worth it while
 * a batch takes the database about as long as its callers take to come back, and not where it waits for a slow disk,
 * for which few large batches are best.
 */
export function makePace(runtime: Runtime) {
  // Measured with 256 and 1024 callers on a quiet machine whose disk commits in 0.2 ms: two batches of half are a third
  // faster than one of all of them, and a share of 6 left half of that unused by going to and fro. By the same costs
  // both would be even where a commit takes about 2 ms: a batch then takes some twelve times what its callers need.
  const share = 12
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
