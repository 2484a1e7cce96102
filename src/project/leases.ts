import type { Failure } from './status.ts'

/** One generation of a view, by name. */
export interface GenerationRef {
  readonly projection: string
  readonly generation: number
}

/** One shard of a generation, by name. */
export interface ShardRef extends GenerationRef {
  readonly shard: number
}

/** A generation that a process can carry on. */
export interface CarriedView extends GenerationRef {
  readonly shards: number
}

/** A process that carries views on. */
export interface Member {
  /** Unique among all processes, the dead ones included. */
  readonly owner: string
  /** It wants no more than this. Absent: as many as there are. */
  readonly maxShards?: number
  /** The generations whose definition it has. */
  readonly views: readonly CarriedView[]
}

/** What a process says every now and then: that it is alive, what it can carry on, and for how long that is to hold. */
export interface Beat extends Member {
  readonly leaseMs: number
  /** What stops shards that it holds. Others learn of it by the checkpoints. Default: nothing does. */
  readonly failures?: readonly ShardFailure[]
}

export interface ShardFailure extends ShardRef {
  readonly failure: Failure
}

/** A shard that a process holds, until its lease runs out. */
export interface Lease extends ShardRef {
  readonly owner: string
}

/** Who is alive and who holds what, at one moment. */
export interface Holdings {
  /** In no order; whoever asked is among them. */
  readonly members: readonly Member[]
  /** Those that have not run out, of all views. */
  readonly leases: readonly Lease[]
}

/** One string for a generation, and one for a shard. */
export const generationId = ({ projection, generation }: GenerationRef): string => `${projection}/${generation}`
export const shardId = (shard: ShardRef): string => `${generationId(shard)}/${shard.shard}`
