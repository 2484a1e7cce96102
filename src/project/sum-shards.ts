import { stateWith } from './describe-failure.ts'
import type { CarriedStatus, ShardStatus } from './status.ts'

const worstFirst = ['failed', 'stopped', 'paused', 'starting', 'catching-up', 'live', 'standby'] as const

/** A projection is where its lowest shard is, and as its worst one is, in whatever process that is. */
export function sumShards(
  shards: readonly ShardStatus[],
): Pick<CarriedStatus, 'state' | 'position' | 'failure' | 'parkedKeys'> {
  const position = Math.min(...shards.map(shard => shard.position))
  // One that stands by is as it is where it is carried on, which tells no more than what stops it.
  const states = shards.map(({ state, failure }) => (state === 'standby' && failure ? stateWith(failure) : state))
  const state = worstFirst.find(candidate => states.includes(candidate)) ?? 'starting'
  const failure = shards.find((shard, n) => states[n] === state && shard.failure !== undefined)?.failure
  const parkedKeys = shards.reduce((sum, shard) => sum + (shard.parkedKeys ?? 0), 0)
  return { state, position, ...(parkedKeys > 0 && { parkedKeys }), ...(failure !== undefined && { failure }) }
}
