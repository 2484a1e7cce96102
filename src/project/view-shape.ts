import { type AnyProjection, BifoldError, type Column, columnsOf } from '../define/index.ts'
import type { ViewShape } from './store.ts'

/** What a store has to know of `projection`. @throws `define/invalid-row` where its rows have no columns. */
export function viewShapeOf(projection: AnyProjection): ViewShape {
  const derived = columnsOf(projection.state)
  if ('problem' in derived) {
    throw new BifoldError('define/invalid-row', { place: `projection('${projection.name}').state`, ...derived })
  }
  return { projection, columns: derived.columns }
}

/** Do two lists of columns make the same table? The order in which a schema names them does not count. */
export function sameColumns(a: readonly Column[], b: readonly Column[]): boolean {
  return describe(a) === describe(b)
}

function describe(columns: readonly Column[]): string {
  return JSON.stringify(columns.map(({ name, type, nullable }) => `${name} ${type} ${nullable}`).sort())
}
