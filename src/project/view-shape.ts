import { type AnyProjection, BifoldError, type Column, columnsOf, type Schema } from '../define/index.ts'
import { definitionHashOf, rowShapeOf, sumsShapeOf } from './definition-hash.ts'
import type { RefShape } from './referred.ts'
import type { ViewShape } from './store.ts'

/**
 * What a store has to know of `projection`.
 * @param projections all of the app: others among them may refer to its rows.
 * @throws `define/invalid-row` where its rows have no columns.
 */
export function viewShapeOf(projection: AnyProjection, projections: readonly AnyProjection[] = []): ViewShape {
  const { name, state, row, present, rollups } = projection
  const definition = definitionHashOf(projection)
  const rowShape = rowShapeOf(row, Object.keys(rollups))
  const place = `projection('${name}')`
  const past = isReferredTo(projection, projections)
  const refs = Object.entries(projection.refs).map(([ref, { to }]): RefShape => ({ name: ref, to: sayShape(to) }))
  const sums = Object.fromEntries(Object.entries(rollups).map(([rollup, { sum }]) => [rollup, sumsShapeOf(sum)]))
  const more = {
    ...(Object.keys(rollups).length > 0 && { sums }),
    ...(past && { past }),
    ...(refs.length > 0 && { refs }),
  }
  if (present === undefined) {
    return { projection, columns: columns(state, `${place}.state`), definition, rowShape, ...more }
  }
  const stateColumns = columns(state, `${place}.state`)
  return { projection, columns: columns(row, `${place}.row`), stateColumns, definition, rowShape, ...more }
}

/** Is there a projection among these whose rows are made with those of `projection`? */
function isReferredTo(projection: AnyProjection, projections: readonly AnyProjection[]): boolean {
  return projections.some(({ refs }) => Object.values(refs).some(({ to }) => to === projection))
}

/** What decides about the generation of a view to which others refer: with another one, these need another one too. */
function sayShape(projection: AnyProjection): string {
  const shape = viewShapeOf(projection)
  const { name, version, shards } = projection
  return JSON.stringify([name, version, shards, describe(shape.columns), stagesOf(shape)])
}

function columns(schema: Schema<unknown>, place: string): readonly Column[] {
  const derived = columnsOf(schema)
  if ('problem' in derived) throw new BifoldError('define/invalid-row', { place, ...derived })
  return derived.columns
}

/**
 * What a generation keeps beside its rows, as one string, which is empty where that is nothing: with other stages a
 * projection needs another generation.
 */
export function stagesOf({ projection, stateColumns, apart }: ViewShape): string {
  const rollups = Object.keys(projection.rollups).sort()
  const state = stateColumns === undefined ? '' : describe(stateColumns)
  if (apart !== undefined) return JSON.stringify([state, rollups, apart])
  return state === '' && rollups.length === 0 ? '' : JSON.stringify([state, rollups])
}

/** Where the rows of a generation with these stages are apart: in which store of rows. */
export function apartOf(stages: string): string | undefined {
  return stages === '' ? undefined : (JSON.parse(stages) as readonly [string, readonly string[], string?])[2]
}

/** @throws `project/rows-elsewhere` where the rows of a generation are not where somebody asks for them. */
export function mustBeWhere(shape: ViewShape, generation: number, apart: string | undefined): void {
  if (shape.apart === apart) return
  throw new BifoldError('project/rows-elsewhere', { projection: shape.projection.name, generation, apart: apart ?? '' })
}

/** Do two lists of columns make the same table? The order in which a schema names them does not count. */
export function sameColumns(a: readonly Column[], b: readonly Column[]): boolean {
  return describe(a) === describe(b)
}

/** Does a generation that was made so serve those who want `shape`? */
export function servesJoins(
  { past = false, refs = [] }: ViewShape,
  made: { readonly keepsPast: boolean; readonly refs: readonly RefShape[] },
): boolean {
  return (made.keepsPast || !past) && sayRefs(made.refs) === sayRefs(refs)
}

function sayRefs(refs: readonly RefShape[]): string {
  return JSON.stringify(refs.map(({ name, to }) => `${name} ${to}`).sort())
}

function describe(columns: readonly Column[]): string {
  return JSON.stringify(columns.map(({ name, type, nullable }) => `${name} ${type} ${nullable}`).sort())
}
