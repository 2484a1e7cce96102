import { BifoldError } from '../define/index.ts'
import { pausedFailure, stateWith } from './describe-failure.ts'
import type { Generation } from './generations.ts'
import { answeringOf, ownOf, type SeenGenerations, servingOf, unfollowedWarning } from './plan-generations.ts'
import { supersededWarning } from './plan-references.ts'
import { progressOf, type Standing } from './progress.ts'
import type { CarriedStatus, GenerationStatus, ProjectionStatus, ShardStatus } from './status.ts'
import type { ShardCheckpoint, ViewShape } from './store.ts'
import { sumShards } from './sum-shards.ts'
import { type GenerationWatch, seenReferred } from './watch-generations.ts'

export interface StatusContext {
  readonly shape: ViewShape
  /** The generation that answers queries here. */
  readonly serving: number
  readonly head: number
  readonly isPaused: boolean
  /** Those of all views, by their names: among them those to which rows of this one refer. */
  readonly watches: ReadonlyMap<string, Pick<GenerationWatch, 'seen'>>
  /** How this process carries a generation on; `undefined` where it does not, and the store's word counts. */
  readonly carried?: (generation: number) => CarriedStatus | undefined
}

/** Where a projection stands. */
export function statusOf(seen: SeenGenerations, context: StatusContext): ProjectionStatus {
  const { shape, serving, head, carried = () => undefined } = context
  const status = carried(serving) ?? storedStatusOf(seen, context)
  const atLeast = Math.max(head, status.position)
  const answering = answeringOf(seen, shape)
  const parkedKeys = parkedKeysOf(seen, status)
  const { projection } = shape
  const warning =
    unfollowedWarning(seen, shape) ??
    warningOf(seen, shape) ??
    supersededWarning(projection, seen, seenReferred(projection, context.watches))
  return {
    ...status,
    ...(parkedKeys > 0 && { parkedKeys }),
    head: atLeast,
    behind: atLeast - status.position,
    generations: seen.all.map(one => ({
      ...generationStatusOf(one, atLeast, carried(one.generation)),
      ...(answering.includes(one.generation) && { answers: true }),
    })),
    ...(warning !== undefined && { warning: { code: warning.code, message: warning.message } }),
  }
}

/** A process knows how many keys of its own shards stand still; of those of others it knows what the store keeps. */
function parkedKeysOf({ all }: SeenGenerations, { generation, parkedKeys = 0, shards }: CarriedStatus): number {
  if (!shards.some(({ state }) => state === 'standby')) return parkedKeys
  return Math.max(parkedKeys, all.find(one => one.generation === generation)?.parked ?? 0)
}

/**
 * The definition is not the one that the rows of its generation were begun with, though it has the same version. Of several
 * generations of it the one that serves counts: what is built beside it answers nobody yet, and what served before nobody
 * any more.
 */
export function warningOf(seen: SeenGenerations, shape: ViewShape): BifoldError | undefined {
  const own = seen.all.find(({ generation }) => generation === ownOf(seen))
  if (own === undefined || own.definition === shape.definition) return undefined
  const { generation, version } = own
  return new BifoldError('project/definition-changed', { projection: shape.projection.name, generation, version })
}

/** As a process sees it that does not carry the generation on. */
function storedStatusOf(
  { all }: SeenGenerations,
  { shape, serving: generation, head, isPaused }: StatusContext,
): CarriedStatus {
  const projection = shape.projection.name
  const standing = ({ shard, position, failure }: Pick<ShardCheckpoint, 'shard' | 'position' | 'failure'>) => {
    const why = isPaused ? pausedFailure(projection) : failure
    const state = why === undefined ? (position < head ? 'catching-up' : 'live') : stateWith(why)
    return { shard, position, state, ...(why !== undefined && { failure: why }) }
  }
  const stored = all.find(one => one.generation === generation)
  const shards = (stored?.checkpoints ?? [{ shard: 0, position: 0 }]).map(standing)
  const parkedKeys = stored?.parked ?? 0
  return {
    ...{ projection, generation, ...sumShards(shards) },
    ...(parkedKeys > 0 && { parkedKeys }),
    shards: stored === undefined ? [] : shards,
  }
}

function generationStatusOf(
  { generation, version, active, served, followed, parked, ...rest }: Generation,
  head: number,
  carried: CarriedStatus | undefined,
): GenerationStatus {
  const stored = Math.min(...rest.checkpoints.map(({ position }) => position))
  const position = Math.max(stored, carried?.position ?? 0)
  const standing = rest.checkpoints.map((stored): Standing => {
    const own = carried?.shards[stored.shard]
    // A process knows of its own shards; of those of others it knows what the store does.
    if (own !== undefined && own.state !== 'standby') return own.catchUp ?? own
    return rest.loads.find(({ shard }) => shard === stored.shard) ?? stored
  })
  const progress = progressOf(standing, head)
  const parkedKeys = Math.max(parked, carried?.parkedKeys ?? 0)
  return {
    generation,
    version,
    role: active ? 'serving' : served ? 'following' : 'building',
    position,
    behind: Math.max(0, head - position),
    followed,
    ...(parkedKeys > 0 && { parkedKeys }),
    ...(progress !== undefined && { progress }),
    ...(carried !== undefined && { state: carried.state }),
    ...(carried?.failure !== undefined && { failure: carried.failure }),
  }
}

/** The code of the error with which one of these shards stands still; where none are named, any. */
export function failureAmong(
  found: readonly Pick<ShardStatus, 'shard' | 'failure'>[],
  shards: readonly number[] | undefined,
): string | undefined {
  const asked = found.filter(({ shard }) => shards === undefined || shards.includes(shard))
  return asked.find(({ failure }) => failure !== undefined)?.failure?.code
}

/** The same of the generation that serves, as a process knows it that does not carry it on. */
export async function storedFailureOf(
  watch: Pick<GenerationWatch, 'look' | 'seen' | 'shape'>,
  shards: readonly number[] | undefined,
): Promise<string | undefined> {
  const seen = await watch.look().catch(() => watch.seen())
  const serving = servingOf(seen, watch.shape)
  return failureAmong(seen.all.find(({ generation }) => generation === serving)?.checkpoints ?? [], shards)
}
