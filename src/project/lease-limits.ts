export interface LeaseLimits {
  /**
   * How long this process may be silent before others take its shards over. It says that it is alive five times as
   * often. Default 10000.
   */
  readonly leaseMs: number
  /** This process carries no more shards on than this. Default: as many as there are. */
  readonly maxShards: number
}

export const defaultLeaseLimits: LeaseLimits = { leaseMs: 10_000, maxShards: Number.POSITIVE_INFINITY }
