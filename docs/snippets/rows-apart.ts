import { type Backend, type RowStore, rowsApart } from 'bifold/project'

/** Keeps the rows of some views in a database without transactions, and all else where it was. */
export function withRowsIn(rows: RowStore, names: readonly string[], backend: Backend): Backend {
  const views = rowsApart(backend.views, rows, { isApart: ({ name }) => names.includes(name) })
  return { ...backend, views }
}
