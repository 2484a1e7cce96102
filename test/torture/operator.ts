import { setTimeout as sleep } from 'node:timers/promises'
import { type AnyProjection, isError, type System } from '../../src/index.ts'
import type { Generation } from '../../src/project/index.ts'
import { openDepot } from './open-depot.ts'
import { depot } from './parcels.ts'

/** What somebody does at night who has a system and no patience. */
export interface Operator {
  readonly actions: Readonly<Record<string, () => Promise<void>>>
  /** Every key that was seen to stand still, and the event at which it did. */
  readonly parked: readonly ParkedAt[]
  /** A sentence for each swap after which a view stood behind where it had stood. */
  readonly violations: readonly string[]
  /** Puts everything back to work, and goes. */
  rest(): Promise<void>
}

export interface ParkedAt {
  readonly projection: string
  readonly key: string
  readonly position: number
}

/** The server may be away, and the thing may not be possible just now: then it was tried. */
const away = ['log/connection-lost', 'project/store-unreachable'] as const
const impossible = [
  'project/rebuild-running',
  'project/generation-behind',
  'project/generation-loading',
  'project/generation-in-use',
  'project/generation-dropped',
  'project/not-parked',
  'project/retry-pending',
  'project/request-pending',
  'project/no-generation',
] as const

export async function startOperator(url: string, random: () => number): Promise<Operator> {
  const system = await openDepot(url, { roles: { commands: false, projections: false } })
  const pick = <T>(all: readonly T[]): T => all[Math.floor(random() * all.length)] as T
  const tried = async (
    attempt: (projection: AnyProjection) => Promise<unknown>,
    projection: AnyProjection = pick(depot.projections),
  ): Promise<void> => {
    try {
      await attempt(projection)
    } catch (error) {
      if (![...away, ...impossible].some(code => isError(error, code)) && !isReadForLong(error)) throw error
    }
  }
  const another = async (system: System, projection: AnyProjection): Promise<number> => {
    const all = await system.views.generations(projection.name)
    return (pick(all.filter(({ active }) => !active)) ?? pick(all)).generation
  }
  /** Nobody resets a view meanwhile, and what serves is never behind what has served. */
  const swap = async (projection: AnyProjection): Promise<void> => {
    const { name } = projection
    const generation = await another(system, projection)
    const served = (await system.views.generations(name)).find(({ active }) => active)
    await system.swap(projection, generation)
    const serves = positionsOf((await system.views.generations(name)).find(one => one.generation === generation))
    const [highest, lowest] = [Math.max(0, ...positionsOf(served)), Math.min(...serves)]
    if (served?.generation !== generation && lowest < highest)
      violations.push(`${name} ${generation} came to serve at ${lowest}, after ${highest}`)
  }
  const violations: string[] = []
  const parked: ParkedAt[] = []
  const lookAtParked = async (projection: AnyProjection) => {
    const found = await system.deadLetters.list({ projection })
    parked.push(...found)
    return found
  }
  return {
    parked,
    violations,
    actions: {
      'rebuild a view': () => tried(projection => system.rebuild(projection)),
      'swap all views': async () => {
        for (const projection of depot.projections) await tried(swap, projection)
      },
      'drop a generation': () => tried(async projection => system.drop(projection, await another(system, projection))),
      'reset a view': () => tried(projection => system.reset(projection)),
      'retry what is parked': () =>
        tried(async projection => {
          await lookAtParked(projection)
          await system.deadLetters.retryAll(projection, { timeoutMs: 2000 })
        }),
      'skip an event': () =>
        tried(async projection => {
          const found = await lookAtParked(projection)
          if (found.length === 0) return
          const { key, position } = pick(found)
          await system.deadLetters.skip(projection, key, { position, reason: 'it is poison', timeoutMs: 2000 })
        }),
      'pause a view for a while': () =>
        tried(async projection => {
          await system.pause(projection)
          await sleep(random() * 1500)
          await insisted(() => system.resume(projection))
        }),
    },
    rest: async () => {
      // A pause whose answer was lost may have been made.
      for (const projection of depot.projections) await insisted(() => system.resume(projection))
      await system.close()
    },
  }
}

/** Where the shards of a generation stand; nowhere, where it is gone. */
function positionsOf(generation: Generation | undefined): readonly number[] {
  return (generation?.checkpoints ?? []).map(({ position }) => position)
}

/** A process that was stopped in the midst of a transaction holds what is to be dropped. Two that wait for each other are a mistake. */
function isReadForLong(error: unknown): boolean {
  const lockNotAvailable = '55P03'
  return isError(error, 'project/store-busy') && error.data.problem.includes(lockNotAvailable)
}

async function insisted(attempt: () => Promise<void>): Promise<void> {
  for (;;) {
    try {
      return await attempt()
    } catch (error) {
      if (!away.some(code => isError(error, code))) throw error
      await sleep(50)
    }
  }
}
