import { type AnyProjection, BifoldError } from '../define/index.ts'
import type { Generation } from './generations.ts'
import type { SeenGenerations } from './plan-generations.ts'

/** Of each view that one refers to, by its name, what generations there are. */
export type SeenReferred = ReadonlyMap<string, SeenGenerations>

/** A generation whose rows are made with those of one that has been built anew since. */
export interface SupersededRef {
  readonly generation: number
  readonly referred: string
  readonly superseded: number
  readonly serving: number
}

/**
 * Says of the generation that serves, where it is of this process's definition, whether its rows are made with those of a
 * generation that does not serve any more, while another one of the same definition does.
 */
export function supersededRefOf(seen: SeenGenerations, referred: SeenReferred): SupersededRef | undefined {
  const serving = ownServing(seen)
  return serving && supersededIn(serving, referred)
}

/** What to tell of it. */
export function supersededWarning(
  { name }: AnyProjection,
  seen: SeenGenerations,
  referred: SeenReferred,
): BifoldError | undefined {
  const found = supersededRefOf(seen, referred)
  return found && new BifoldError('project/refers-to-superseded', { projection: name, ...found })
}

/**
 * One of this definition that is being built, made with rows of a generation that does not serve any more, while another one
 * of this definition serves: it is given up, and built anew. The generation that it follows may stand still for ever, as one
 * whose dead letters have no more room, and what is made with it would have to be built once more. Nobody is answered by it.
 */
export function needlessBuildOf(seen: SeenGenerations, referred: SeenReferred): number | undefined {
  const newest = seen.all.find(({ generation }) => generation === seen.known.at(-1))
  if (newest === undefined || newest.served || ownServing(seen) === undefined) return undefined
  // While another release builds one, none could be made in its place.
  if (seen.all.some(one => !one.served && one !== newest)) return undefined
  return supersededIn(newest, referred) && newest.generation
}

/**
 * Is one more generation to be built, whose rows are made with those of the generations that serve? Not while one is being
 * built. Not where there is one that somebody has swapped away from by hand. And not for a
 * release whose definition does not serve: what is built for it would take the place of the one that does.
 */
export function needsRebuild(seen: SeenGenerations, referred: SeenReferred): boolean {
  const newest = seen.all.find(({ generation }) => generation === seen.known.at(-1))
  return (
    supersededRefOf(seen, referred) !== undefined &&
    newest !== undefined &&
    supersededIn(newest, referred) !== undefined &&
    seen.all.every(({ served }) => served)
  )
}

function ownServing({ all, known }: SeenGenerations): Generation | undefined {
  return all.find(({ active, generation }) => active && known.includes(generation))
}

function supersededIn({ generation, refersTo }: Generation, referred: SeenReferred): SupersededRef | undefined {
  for (const { projection, generation: superseded } of refersTo) {
    const seen = referred.get(projection)
    const serving = seen && ownServing(seen)?.generation
    if (serving !== undefined && serving !== superseded)
      return { generation, referred: projection, superseded, serving }
  }
  return undefined
}
