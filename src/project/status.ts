import type { Position } from '../define/index.ts'

/** Where one projection stands, for people and for readiness. */
export interface ProjectionStatus extends Omit<ShardStatus, 'shard'> {
  readonly projection: string
  readonly generation: number
  /** That of the shard that is worst off. */
  readonly state: ShardStatus['state']
  /** That of the lowest shard: everything up to here is in the view. */
  readonly position: Position
  /** The log's head when this was asked, and how many events lie between. */
  readonly head: Position
  readonly behind: number
  /** Each shard, in their order. */
  readonly shards: readonly ShardStatus[]
}

/** Where one shard of a projection stands. */
export interface ShardStatus {
  readonly shard: number
  /** `catching-up`: far from the head, in large batches. `live`: at the tail. `failed`: a fold threw; it is tried again.
   * `stopped`: it was told to, another process has taken over, or the log is not the one it knows. */
  readonly state: 'starting' | 'catching-up' | 'live' | 'failed' | 'stopped'
  /** Everything up to here that concerns this shard's keys is in the view. */
  readonly position: Position
  /** Set while it is failed, and where something stopped it. */
  readonly failure?: {
    readonly code: string
    readonly message: string
    readonly event?: { readonly position: Position; readonly type: string; readonly id?: string }
    readonly attempts: number
    /** Milliseconds until it is tried again. Absent: it is not. */
    readonly retryInMs?: number
  }
}
