import type { EventLog } from '../log/index.ts'
import { makeKeysOf } from './keys-of.ts'
import type { ProjectorLimits } from './limits.ts'
import { type RunningShard, runShard, type ShardContext } from './run-shard.ts'
import { makeShardFilters } from './shard-filters.ts'
import { shareReads } from './shared-reads.ts'
import type { CarriedStatus } from './status.ts'
import { sumShards } from './sum-shards.ts'

export type ProjectionContext = Omit<ShardContext, 'shard' | 'keysOf' | 'carried' | 'read'>

/** One projection being carried on. */
export interface RunningProjection {
  status(): CarriedStatus
  /** Looks how far other processes are with the shards that are theirs, and what stops them. */
  look(): Promise<void>
  /** Finishes and commits what is under way. */
  stop(): Promise<void>
}

/**
 * Carries all shards of a projection on, each by itself: one that is slow or fails holds up no other one. They share the
 * pages of the log, so that each is read once, and, where their keys are the streams, without what shards of other processes
 * need.
 */
export function runProjection(context: ProjectionContext): RunningProjection {
  const { shape, view } = context
  const { name, shards: count } = shape.projection
  const limits: ProjectorLimits = { ...context.limits, cacheBytes: context.limits.cacheBytes / count }
  const carried = new Set<number>()
  const read = count === 1 ? context.log.read : shareReads(context.log.read)
  const filters =
    count === 1 || shape.projection.key !== 'stream'
      ? undefined
      : makeShardFilters({ count, carried, stretch: limits.stretchEvents })
  const readOf =
    (shard: number): EventLog['read'] =>
    (from, options = {}) => {
      const shards = filters?.of(shard, from.position)
      return read(from, { ...options, ...(shards !== undefined && { shards }) })
    }
  const keysOf = makeKeysOf(shape.projection, count)
  const running: readonly RunningShard[] = Array.from({ length: count }, (_, shard) =>
    runShard({ ...context, read: readOf(shard), limits, shard, keysOf, carried }),
  )
  return {
    status: () => {
      const shards = running.map(shard => shard.status())
      return { projection: name, generation: view.generation, ...sumShards(shards), shards }
    },
    look: async () => {
      if (!running.some(shard => shard.standsBy())) return
      // Where the store cannot be asked, the last answer has to do.
      const found = await view.checkpoints().catch(() => [])
      for (const { shard, position, fingerprint, failure } of found) {
        running[shard]?.saw({ position, fingerprint, ...(failure !== undefined && { failure }) })
      }
    },
    stop: async () => {
      await Promise.all(running.map(shard => shard.stop()))
    },
  }
}
