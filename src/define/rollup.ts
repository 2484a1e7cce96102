import { BifoldError } from './errors.ts'
import type { AnyProjection, Projection } from './projection.ts'

/** A rollup of a projection, as queries read it: a row for each group. */
export interface RollupSource<Row> {
  readonly kind: 'rollup'
  readonly projection: AnyProjection
  readonly rollup: string
  /** Carries the type of a row and has no value. */
  readonly row?: Row
}

/** A group and its sums. */
export type RollupRow<Sums> = { readonly group: string } & { readonly [Name in keyof Sums]: number }

/**
 * What a query reads a rollup `from`: its rows are the groups, each `{ group, … }` with the sums by their names, under the
 * group as its key and in the order of the index `['group']`. A group without rows is not there.
 *
 * @throws `define/invalid-definition` where the projection has no rollup of this name.
 */
export function rollup<Rollups, const Name extends keyof Rollups & string>(
  projection: Projection<unknown, unknown, Rollups>,
  name: Name,
): RollupSource<RollupRow<Rollups[Name]>> {
  if (!Object.hasOwn(projection.rollups, name)) {
    throw new BifoldError('define/invalid-definition', {
      place: `rollup(projection('${projection.name}'), '${name}')`,
      problem: 'the projection has no rollup of this name',
    })
  }
  return { kind: 'rollup', projection, rollup: name }
}
