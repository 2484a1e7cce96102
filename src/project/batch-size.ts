export interface BatchLimits {
  /** Events of the first batch, and of the next one after the tail was reached. Default 500. */
  readonly minBatchEvents: number
  /** Events of the largest batch. Default 10000. */
  readonly maxBatchEvents: number
  /** About how many bytes of documents one commit may write. Default 8 MiB. */
  readonly batchBytes: number
}

export const defaultBatchLimits: BatchLimits = { minBatchEvents: 500, maxBatchEvents: 10_000, batchBytes: 8 * 2 ** 20 }

export interface BatchResult {
  readonly events: number
  /** Characters of the documents that it wrote. */
  readonly writtenBytes: number
  readonly atHead: boolean
}

/**
 * How many events the next batch may have: small at the tail, where each is waited for, twice the last one while
 * catching up, and in any case so few that its rows, if they are like those of the last, fit into one statement.
 */
export function nextBatchEvents(current: number, last: BatchResult, limits: BatchLimits): number {
  const { minBatchEvents, maxBatchEvents, batchBytes } = limits
  const wanted = last.atHead ? minBatchEvents : current * 2
  const perEvent = last.events === 0 ? 0 : last.writtenBytes / last.events
  const affordable = perEvent === 0 ? maxBatchEvents : Math.floor(batchBytes / perEvent)
  return Math.max(1, Math.min(wanted, maxBatchEvents, affordable))
}
