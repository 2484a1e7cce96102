import { type AnyProjection, BifoldError, type RecordedEvent } from '../define/index.ts'
import { foldedAt } from './folded-at.ts'
import { keyProblem } from './key-problem.ts'
import { shardOf } from './shard-of.ts'
import { thrown } from './thrown.ts'
import type { Turns } from './turns.ts'

/** Why a batch could not go on: the event at which it stands, and a `project/…` error that names it. */
export interface FoldFailure {
  readonly event: RecordedEvent
  readonly error: BifoldError
}

/** An event, with the keys that it touches in one shard. */
export interface KeyedEvent {
  readonly event: RecordedEvent
  readonly keys: readonly string[]
}

/** The keys that events touch, shard by shard, up to the first event whose `key` fails. */
export interface DividedKeys {
  readonly byShard: readonly (readonly KeyedEvent[])[]
  readonly failure?: FoldFailure
}

/** @param turns of whoever asks first: the others wait for what it finds. */
export type KeysOf = (events: readonly RecordedEvent[], turns: Turns) => Promise<DividedKeys>

/**
 * Finds the keys that events touch. Each array of events is divided once, whoever asks: the shards of a projection share the
 * pages of the log, and would otherwise each find and hash all keys of a page.
 */
export function makeKeysOf(projection: AnyProjection, shards: number): KeysOf {
  const { on } = projection
  const known = new WeakMap<readonly RecordedEvent[], Promise<DividedKeys>>()

  async function divide(events: readonly RecordedEvent[], turns: Turns): Promise<DividedKeys> {
    const byShard: KeyedEvent[][] = Array.from({ length: shards }, () => [])
    let failure: FoldFailure | undefined
    const divideOne = (event: RecordedEvent): void => {
      if (failure !== undefined || on[event.type] === undefined) return
      try {
        const keys = keysOfEvent(projection, event)
        const { tenant } = event
        const first = keys[0]
        if (first === undefined) return
        if (shards === 1) byShard[0]?.push({ event, keys })
        else if (keys.length === 1) byShard[shardOf({ tenant, key: first }, shards)]?.push({ event, keys })
        else {
          const divided = Map.groupBy(keys, key => shardOf({ tenant, key }, shards))
          for (const [shard, own] of divided) byShard[shard]?.push({ event, keys: own })
        }
      } catch (error) {
        failure = { event, error: error as BifoldError }
      }
    }
    await turns.over('key', events, divideOne)
    return { byShard, ...(failure !== undefined && { failure }) }
  }

  return (events, turns) => {
    const found = known.get(events) ?? divide(events, turns)
    if (shards > 1) known.set(events, found)
    return found
  }
}

/** @throws `project/key-failed` · `project/invalid-key` */
function keysOfEvent({ name, key: keyOf }: AnyProjection, event: RecordedEvent): readonly string[] {
  if (keyOf === 'stream') return [event.streamId]
  let answer: unknown
  try {
    answer = keyOf[event.type]?.(event) ?? null
  } catch (cause) {
    throw new BifoldError('project/key-failed', { ...foldedAt(name, event), ...thrown(cause) }, { cause })
  }
  if (answer === null) return []
  const keys: readonly unknown[] = Array.isArray(answer) ? [...new Set(answer)] : [answer]
  for (const key of keys) {
    const problem = keyProblem(key)
    if (problem !== undefined) throw new BifoldError('project/invalid-key', { ...foldedAt(name, event), problem })
  }
  return keys as readonly string[]
}
