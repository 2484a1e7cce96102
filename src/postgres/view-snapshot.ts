import { differingColumns, type Snapshot, type StoredRow, type StoredSum, type ViewShape } from '../project/index.ts'
import type { Database, Sql, Statement } from './client.ts'
import { readAllLetters } from './view-letters.ts'
import { inViews, quoteName, refColumnOf } from './view-names.ts'
import { checkpointsStatement, type ShardRow, shardCheckpointOf } from './view-read.ts'
import { allSumsText, type SumRow, storedSumOf } from './view-rollups.ts'

interface AllRow {
  readonly tenant: string
  readonly key: string
  readonly position: number
  readonly doc: string
  readonly state?: string
  /** The typed columns, as JSON. */
  readonly columns: string
  /** The keys that the row refers to, as JSON. */
  readonly refs?: string
  readonly shard?: number
}

/** How many rows, and how many at most of a megabyte each, are in this process at once. */
const fetchStatement: Statement = { text: 'fetch 500 from bifold_all_rows' }
const fetchSumsStatement: Statement = { text: 'fetch 5000 from bifold_all_sums' }

/**
 * Reads all rows through a cursor, in one read-only transaction with one snapshot. A cursor has one plan, made for all
 * rows; a statement for each page could keep a plan that it got when the table was small.
 */
export function snapshotVerb(
  database: Database,
  view: { readonly projection: string; readonly generation: number; readonly table: string },
  { projection, columns, stateColumns, refs = [] }: ViewShape,
): <T>(read: (snapshot: Snapshot) => Promise<T>) => Promise<T> {
  const own = columns.map(({ name }) => quoteName(name)).join(', ')
  const keys = refs.map(({ name }) => `${quoteName(refColumnOf(name))} as ${quoteName(name)}`).join(', ')
  const besides =
    refs.length === 0 ? '' : `_shard as shard, (select row_to_json(_keys) from (select ${keys}) _keys)::text as refs,`
  const declareStatement: Statement = {
    text: `
declare bifold_all_rows no scroll cursor for
select _tenant as tenant, _key as key, _position as position, _doc::text as doc,${stateColumns === undefined ? '' : ' _state::text as state,'} ${besides}
       (select row_to_json(_columns) from (select ${own}) _columns)::text as columns
  from ${inViews(view.table)}
 order by _tenant, _key`,
  }
  async function* pages(sql: Sql): AsyncGenerator<readonly StoredRow[]> {
    await sql.query(declareStatement)
    for (;;) {
      const rows = await sql.query<AllRow>(fetchStatement)
      if (rows.length === 0) return
      yield rows.map(({ columns: values, refs: keys, ...row }) => ({
        ...row,
        ...(keys !== undefined && { refs: JSON.parse(keys) as Record<string, string | null> }),
        differing: differingColumns(columns, JSON.parse(values), row.doc),
      }))
    }
  }
  async function* sums(sql: Sql): AsyncGenerator<readonly StoredSum[]> {
    if (Object.keys(projection.rollups).length === 0) return
    await sql.query({ text: `declare bifold_all_sums no scroll cursor for ${allSumsText(view.table)}` })
    for (;;) {
      const rows = await sql.query<SumRow>(fetchSumsStatement)
      if (rows.length === 0) return
      yield rows.map(storedSumOf)
    }
  }
  return read =>
    database.transaction(
      async sql => {
        const checkpoints = await sql.query<ShardRow>(checkpointsStatement, [view.projection, view.generation])
        const letters = await readAllLetters(sql, view.projection, view.generation)
        return read({ checkpoints: checkpoints.map(shardCheckpointOf), ...letters, pages: pages(sql), sums: sums(sql) })
      },
      { readOnly: true, isolation: 'snapshot' },
    )
}
