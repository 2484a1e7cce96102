import type { AnyProjection } from '../define/index.ts'
import type { ReferredView } from './join.ts'
import { ownOf } from './plan-generations.ts'
import type { View, ViewStore } from './store.ts'
import { viewShapeOf } from './view-shape.ts'

/**
 * The views to whose rows those of `view` refer, each once: of every projection the generation with which its rows were made
 * from the beginning on; of one that is new, the one that serves or, where that is of another release, the newest of this
 * one. It knows of it from now on, and keeps what it has not passed.
 */
export async function referTo(
  view: Pick<View, 'refer'>,
  { refs }: AnyProjection,
  {
    store,
    projections,
  }: {
    readonly store: Pick<ViewStore, 'open' | 'generations' | 'known'>
    readonly projections: readonly AnyProjection[]
  },
): Promise<readonly ReferredView[]> {
  const names = new Map<AnyProjection, string[]>()
  for (const [name, { to }] of Object.entries(refs)) names.set(to, [...(names.get(to) ?? []), name])
  return Promise.all(
    [...names].map(async ([to, all]): Promise<ReferredView> => {
      const shape = viewShapeOf(to, projections)
      const [generations, known] = await Promise.all([store.generations(to.name), store.known(shape)])
      const own = ownOf({ all: generations, known }) ?? (await store.open(shape)).generation
      const generation = await view.refer({ projection: to.name, generation: own })
      const other = await store.open(shape, generation)
      return { refs: all, view: other, types: Object.keys(to.on) }
    }),
  )
}
