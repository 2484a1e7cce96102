import { BifoldError } from '../define/index.ts'
import { ownOf, type SeenGenerations } from './plan-generations.ts'
import type { View, ViewShape, ViewStore } from './store.ts'

/** The generations of a projection, as whoever operates on it sees them who does not watch it. */
export async function seeGenerations(
  store: Pick<ViewStore, 'generations' | 'known'>,
  shape: ViewShape,
): Promise<SeenGenerations> {
  const [all, known] = await Promise.all([store.generations(shape.projection.name), store.known(shape)])
  return { all, known }
}

/** The number of the generation of a definition that serves, or else of its newest. @throws `project/no-generation` */
export async function findOwn(store: Pick<ViewStore, 'generations' | 'known'>, shape: ViewShape): Promise<number> {
  const own = ownOf(await seeGenerations(store, shape))
  if (own !== undefined) return own
  const { name, version } = shape.projection
  throw new BifoldError('project/no-generation', { projection: name, version })
}

/**
 * The view of a definition, for whoever looks at it: the generation that is asked for, or the one that is its own.
 * @throws `project/no-generation` · `project/generation-dropped`
 */
export async function findView(
  store: Pick<ViewStore, 'find' | 'generations' | 'known'>,
  shape: ViewShape,
  generation?: number,
): Promise<View> {
  return store.find(shape, generation ?? (await findOwn(store, shape)))
}
