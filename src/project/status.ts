import type { Position } from '../define/index.ts'
import type { Progress, Rate } from './progress.ts'

/** Where one projection stands, for people and for readiness: the generation of it that answers queries here. */
export interface ProjectionStatus extends CarriedStatus {
  /** The log's head when this was asked, and how many events lie between. */
  readonly head: Position
  readonly behind: number
  /** Every generation that the store keeps, the oldest first. */
  readonly generations: readonly GenerationStatus[]
  /** What is not as it should be, and stops nothing: `project/serving-unfollowed`, `project/definition-changed`,
   * `project/refers-to-superseded`. */
  readonly warning?: { readonly code: string; readonly message: string }
}

/** Where one generation of a projection stands. */
export interface CarriedStatus extends Omit<ShardStatus, 'shard' | 'owner' | 'warning'> {
  readonly projection: string
  readonly generation: number
  /** That of the shard that is worst off. */
  readonly state: ShardStatus['state']
  /** That of the lowest shard: everything up to here is in the view. */
  readonly position: Position
  /** Of all shards. Absent: none. */
  readonly parkedKeys?: number
  /** Each shard, in their order. */
  readonly shards: readonly ShardStatus[]
}

/** One of the generations of a projection. */
export interface GenerationStatus {
  readonly generation: number
  readonly version: number
  /** `serving`: the one that serves. `building`: it never has, yet. `following`: it did, and can again while it keeps up. */
  readonly role: 'serving' | 'building' | 'following'
  /** Are queries of this process answered from it, be it those of some rollups alone? Absent: no. */
  readonly answers?: true
  readonly position: Position
  readonly behind: number
  /** Is there a living process of its definition? */
  readonly followed: boolean
  /** Keys that stand still, because their fold failed. Absent: none. */
  readonly parkedKeys?: number
  /** While it catches up, here or in another process that tells of it. */
  readonly progress?: Progress
  /** How this process carries it on; absent where it does not: it is not of its definition. */
  readonly state?: ShardStatus['state']
  readonly failure?: ShardStatus['failure']
}

/** Why a shard stands still. */
export interface Failure {
  readonly code: string
  readonly message: string
  readonly event?: { readonly position: Position; readonly type: string; readonly id?: string }
  readonly attempts: number
  /** Milliseconds until it is tried again. Absent: it is not. */
  readonly retryInMs?: number
}

/** Where one shard of a projection stands. */
export interface ShardStatus {
  readonly shard: number
  /** `catching-up`: far from the head, in large batches. `live`: at the tail. `failed`: a fold threw, an event
   * cannot be read, or its store failed; it is tried again. `paused`: an operator has paused the projection.
   * `standby`: another process carries it on or, where there is no `owner`, nobody has room for it. `stopped`: it was told
   * to, the log is not the one it knows, a `key` fails, or there is no more room for dead letters; where `failure` says so,
   * it is tried again. */
  readonly state: 'starting' | 'catching-up' | 'live' | 'failed' | 'paused' | 'stopped' | 'standby'
  /** The process that has it, by what `owner` of its `System` is. Absent: nobody, as far as is known. */
  readonly owner?: string
  /** Everything up to here that concerns this shard's keys is in the view, or waits as a dead letter. */
  readonly position: Position
  /**
   * While it catches up: up to where it has folded, and how many positions of the log it passes a second. A view that is new
   * on a long log is folded in memory first, and written when that is done.
   */
  readonly catchUp?: Rate
  /** How many keys stand still, because their fold failed. Absent: none. */
  readonly parkedKeys?: number
  /** Set while it is failed, and where something stops it or holds it up; of a shard of another process, what that says. */
  readonly failure?: Failure
  /** What is not as it should be and stops nothing: a fold that blocked its process past the leases. */
  readonly warning?: { readonly code: string; readonly message: string }
}
