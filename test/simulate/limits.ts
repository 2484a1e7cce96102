import type { RunOptions } from '../../src/run/index.ts'

/**
 * Bounds of a process, each as it usually is, or so small that it is reached all the time.
 *
 * @param isTroubled may it be too small to carry on all shards with the other processes?
 */
export function drawLimits(
  random: () => number,
  isTroubled: boolean,
): Pick<RunOptions, 'log' | 'commands' | 'projections' | 'queries' | 'onWarning'> {
  const oneOf = (...choices: readonly number[]): number => choices[Math.floor(random() * choices.length)]!
  return {
    onWarning: () => undefined,
    log: {
      batchEvents: oneOf(1, 3, 512),
      overlapEvents: oneOf(1, 2, 64),
      windowEvents: oneOf(2, 10, 16_384),
      unknownTimeoutMs: oneOf(50, 500, 5000),
      minPollMs: oneOf(5, 25),
      maxPollMs: oneOf(100, 1000),
    },
    commands: {
      onSnapshotFailed: () => undefined,
      cacheStates: oneOf(1, 3, 10_000),
      attempts: oneOf(2, 10),
      pageEvents: oneOf(1, 3, 1000),
    },
    projections: {
      minBatchEvents: oneOf(1, 4, 500),
      maxBatchEvents: oneOf(4, 20, 10_000),
      cacheBytes: oneOf(0, 3000, 2 ** 27),
      emptyMoveMs: oneOf(0, 20, 300),
      turnEvents: oneOf(1, 3, 500),
      stretchEvents: oneOf(4, 20, 20_000),
      retry: { minDelayMs: 10, maxDelayMs: 500 },
      foldAttempts: oneOf(1, 3),
      maxParkedEvents: oneOf(2, 10_000),
      requestPollMs: oneOf(20, 200),
      reconnect: { minDelayMs: 5, maxDelayMs: 200 },
      leaseMs: oneOf(200, 2000),
      presentRows: oneOf(1, 2, 1000),
      maxChangedRefs: oneOf(1, 3, 1000),
      refPollMs: oneOf(5, 100),
      maxShards: isTroubled ? oneOf(1, 3, Number.POSITIVE_INFINITY) : Number.POSITIVE_INFINITY,
      rebuild: {
        retireAfterMs: oneOf(500, Number.POSITIVE_INFINITY),
        returnAfterMs: oneOf(300, 10_000),
        minEvents: oneOf(1, 10, 20_000),
        memoryBytes: oneOf(0, 1000, 2 ** 27),
        refWaitMs: oneOf(0, 200, 10_000),
        share: oneOf(0.1, 1),
      },
    },
    queries: { gatherKeys: oneOf(1, 3, 100), gatherInFlight: oneOf(1, 2), pollMs: oneOf(5, 20, 200) },
  }
}
