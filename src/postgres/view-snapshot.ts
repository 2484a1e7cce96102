import type { Column } from '../define/index.ts'
import { differingColumns, type ShardCheckpoint, type Snapshot, type StoredRow } from '../project/index.ts'
import type { Database, Sql, Statement } from './client.ts'
import { inViews, quoteName } from './view-names.ts'
import { checkpointsStatement } from './view-read.ts'

interface AllRow {
  readonly tenant: string
  readonly key: string
  readonly position: number
  readonly doc: string
  /** The typed columns, as JSON. */
  readonly columns: string
}

/** How many rows, and how many at most of a megabyte each, are in this process at once. */
const fetchStatement: Statement = { text: 'fetch 500 from bifold_all_rows' }

/**
 * Reads all rows through a cursor, in one read-only transaction with one snapshot. A cursor has one plan, made for all
 * rows; a statement for each page could keep a plan that it got when the table was small.
 */
export function snapshotVerb(
  database: Database,
  view: { readonly projection: string; readonly generation: number; readonly table: string },
  columns: readonly Column[],
): <T>(read: (snapshot: Snapshot) => Promise<T>) => Promise<T> {
  const own = columns.map(({ name }) => quoteName(name)).join(', ')
  const declareStatement: Statement = {
    text: `
declare bifold_all_rows no scroll cursor for
select _tenant as tenant, _key as key, _position as position, _doc::text as doc,
       (select row_to_json(_columns) from (select ${own}) _columns)::text as columns
  from ${inViews(view.table)}
 order by _tenant, _key`,
  }
  async function* pages(sql: Sql): AsyncGenerator<readonly StoredRow[]> {
    await sql.query(declareStatement)
    for (;;) {
      const rows = await sql.query<AllRow>(fetchStatement)
      if (rows.length === 0) return
      yield rows.map(({ tenant, key, position, doc, columns: values }) => ({
        tenant,
        key,
        position,
        doc,
        differing: differingColumns(columns, JSON.parse(values), doc),
      }))
    }
  }
  return read =>
    database.transaction(
      async sql => {
        const checkpoints = await sql.query<ShardCheckpoint>(checkpointsStatement, [view.projection, view.generation])
        return read({ checkpoints, pages: pages(sql) })
      },
      { readOnly: true, isolation: 'snapshot' },
    )
}
