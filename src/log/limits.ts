/** Bounds of a log in one process. All have a default. */
export interface LogLimits {
  /** Events in one batch. An append that has more goes alone. Default 512: more buys nothing, and costs latency. */
  readonly batchEvents: number
  /** Bytes of JSON in one batch. Default 4 MiB. */
  readonly batchBytes: number
  /** With so many events waiting, a second batch goes before the first is answered. Default 64. */
  readonly overlapEvents: number
  /** Events that may wait in front of the lane; then `log/overloaded`. Default 16384. */
  readonly queueEvents: number
  /** Bytes of JSON that may wait in front of the lane; then `log/overloaded`. Default 64 MiB. */
  readonly queueBytes: number
  /** Events of one append. Default 1000. */
  readonly appendEvents: number
  /** Bytes of JSON of one append. Default 16 MiB. */
  readonly appendBytes: number
  /** Bytes of one event's data. Default 1 MiB. */
  readonly documentBytes: number
  /** Arrays and objects within each other in one event's data. Default 512. */
  readonly documentDepth: number
  /** How long a batch whose answer was lost is sent again before its appends end as `log/outcome-unknown`. Default 30000. */
  readonly unknownTimeoutMs: number
  /** Recent events held in memory for the projections at the tail. Default 16384. */
  readonly windowEvents: number
  /** Bytes of JSON of those events. Default 32 MiB. */
  readonly windowBytes: number
  /** The shortest time between two looks for events of other processes, after some were found. Default 25. */
  readonly minPollMs: number
  /** The longest time, when nothing is found. Default 1000. */
  readonly maxPollMs: number
}

export const defaultLimits: LogLimits = {
  batchEvents: 512,
  batchBytes: 4 * 2 ** 20,
  overlapEvents: 64,
  queueEvents: 16_384,
  queueBytes: 64 * 2 ** 20,
  appendEvents: 1000,
  appendBytes: 16 * 2 ** 20,
  documentBytes: 2 ** 20,
  documentDepth: 512,
  unknownTimeoutMs: 30_000,
  windowEvents: 16_384,
  windowBytes: 32 * 2 ** 20,
  minPollMs: 25,
  maxPollMs: 1000,
}
