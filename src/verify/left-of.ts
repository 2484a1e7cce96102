import type { AnyProjection } from '../define/index.ts'
import { viewShapeOf } from '../project/index.ts'
import type { Left } from './fold-aside.ts'
import type { Verifiable } from './verifiable.ts'

/**
 * What is left out of the rows that those of a projection are made with.
 * @param generationOf the generation of the view of this name whose rows they are; `undefined`: of none yet.
 */
export async function leftOf(
  { views }: Pick<Verifiable, 'views'>,
  { refs }: AnyProjection,
  generationOf: (projection: string) => Promise<number | undefined>,
): Promise<ReadonlyMap<string, Left>> {
  const left = new Map<string, Left>()
  for (const { to } of Object.values(refs)) {
    const generation = await generationOf(to.name)
    if (generation === undefined) continue
    const view = await views.find(viewShapeOf(to), generation)
    left.set(to.name, await view.snapshot(async ({ parked, skips }) => ({ parked, skips })))
  }
  return left
}
