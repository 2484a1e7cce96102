import type { ProjectorLimits } from './limits.ts'
import { type RunningShard, runShard, type ShardContext } from './run-shard.ts'
import { shareReads } from './shared-reads.ts'
import type { ProjectionStatus, ShardStatus } from './status.ts'

export type ProjectionContext = Omit<ShardContext, 'shard'>

/** One projection being carried on. */
export interface RunningProjection {
  status(): Omit<ProjectionStatus, 'head' | 'behind'>
  /** Finishes and commits what is under way. */
  stop(): Promise<void>
}

/**
 * Carries all shards of a projection on, each by itself: one that is slow or fails holds up no other one. They share the
 * pages of the log, so that each is read once.
 */
export function runProjection(context: ProjectionContext): RunningProjection {
  const { shape, view } = context
  const { name, shards: count } = shape.projection
  const limits: ProjectorLimits = { ...context.limits, cacheBytes: context.limits.cacheBytes / count }
  const log = count === 1 ? context.log : { ...context.log, read: shareReads(context.log.read) }
  const running: readonly RunningShard[] = Array.from({ length: count }, (_, shard) =>
    runShard({ ...context, log, limits, shard }),
  )
  return {
    status: () => {
      const shards = running.map(shard => shard.status())
      return { projection: name, generation: view.generation, ...summed(shards), shards }
    },
    stop: async () => {
      await Promise.all(running.map(shard => shard.stop()))
    },
  }
}

const worstFirst = ['failed', 'stopped', 'starting', 'catching-up', 'live'] as const

/** A projection is where its lowest shard is, and as its worst one is. */
function summed(shards: readonly ShardStatus[]): Pick<ProjectionStatus, 'state' | 'position' | 'failure'> {
  const position = Math.min(...shards.map(shard => shard.position))
  const state = worstFirst.find(candidate => shards.some(shard => shard.state === candidate)) ?? 'starting'
  const failure = shards.find(shard => shard.state === state)?.failure
  return { state, position, ...(failure !== undefined && { failure }) }
}
