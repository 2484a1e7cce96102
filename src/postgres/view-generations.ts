import type { Column } from '../define/index.ts'
import { sameColumns, type ViewShape } from '../project/index.ts'
import type { Database, Sql } from './client.ts'
import { sqlTypes } from './view-columns.ts'
import { indexNameOf, inViews, plainNameOf, quoteName, tableNameOf } from './view-names.ts'

interface GenerationRow {
  readonly generation: number
  readonly version: number
  readonly columns: string
  readonly shards: number
}

/**
 * Finds the generation of this shape, or makes it, and makes the declared indexes that it does not have. Under a lock:
 * many processes may open the same new view at once. It is not the log's lock: an index over a large view takes its time,
 * and appends must not wait for it.
 */
export async function openGeneration(database: Database, shape: ViewShape): Promise<number> {
  const found = await findGeneration(database.sql, shape)
  if (found !== undefined && (await missingIndexes(database.sql, shape, found)).length === 0) return found
  return database.transaction(async sql => {
    await sql.query({ text: 'select pg_advisory_xact_lock(3177001, 2)' })
    const generation = (await findGeneration(sql, shape)) ?? (await makeGeneration(sql, shape))
    const table = tableNameOf(shape.projection.name, generation)
    for (const index of await missingIndexes(sql, shape, generation)) {
      const columns = ['_tenant', ...index, '_key'].map(quoteName).join(', ')
      await sql.script(`create index ${quoteName(indexNameOf(table, index))} on ${inViews(table)} (${columns})`)
    }
    return generation
  })
}

async function findGeneration(sql: Sql, { projection, columns }: ViewShape): Promise<number | undefined> {
  const rows = await sql.query<GenerationRow>(
    {
      text: 'select generation, version, columns, shards from bifold_views._generations where projection = $1 order by generation desc',
    },
    [projection.name],
  )
  return rows.find(
    row =>
      row.version === projection.version &&
      row.shards === projection.shards &&
      sameColumns(JSON.parse(row.columns), columns),
  )?.generation
}

async function missingIndexes(
  sql: Sql,
  { projection }: ViewShape,
  generation: number,
): Promise<readonly (readonly string[])[]> {
  const table = tableNameOf(projection.name, generation)
  const rows = await sql.query<{ indexname: string }>(
    { text: "select indexname from pg_indexes where schemaname = 'bifold_views' and tablename = $1" },
    [table],
  )
  const there = new Set(rows.map(({ indexname }) => indexname))
  const wanted = new Map(projection.indexes.map(index => [indexNameOf(table, index), index]))
  return [...wanted].filter(([name]) => !there.has(name)).map(([, index]) => index)
}

async function makeGeneration(sql: Sql, { projection, columns }: ViewShape): Promise<number> {
  const [made] = await sql.query<{ generation: number }>(
    {
      text: `insert into bifold_views._generations (projection, generation, version, columns, shards)
             select $1, coalesce(max(generation), 0) + 1, $2, $3::json, $4
               from bifold_views._generations where projection = $1
             returning generation`,
    },
    [projection.name, projection.version, JSON.stringify(columns), projection.shards],
  )
  const generation = (made as { generation: number }).generation
  await sql.query(
    {
      text: `insert into bifold_views._checkpoints (projection, generation, shard)
             select $1, $2, generate_series(0, $3::integer - 1)`,
    },
    [projection.name, generation, projection.shards],
  )
  const table = tableNameOf(projection.name, generation)
  await sql.script(tableOf(table, columns))
  await sql.script(plainViewOf(plainNameOf(projection.name), table, columns))
  return generation
}

/** Room on each page lets an update that changes no indexed column stay on it (HOT) and touch no index. */
const rowsFillfactor = 80

function tableOf(table: string, columns: readonly Column[]): string {
  const own = columns.map(
    ({ name, type, nullable }) => `  ${quoteName(name)} ${sqlTypes[type]}${nullable ? '' : ' not null'},\n`,
  )
  return `
create table ${inViews(table)} (
  _tenant text collate "C" not null,
  _key text collate "C" not null,
  _position bigint not null,
${own.join('')}  _doc json not null,
  primary key (_tenant, _key)
) with (fillfactor = ${rowsFillfactor})`
}

/**
 * The view with the plain name, over the newest generation. A view of other columns has to be dropped first; where
 * somebody's own view stands on it, it stays as it is, since nobody's report may keep a new release from starting.
 */
function plainViewOf(name: string, table: string, columns: readonly Column[]): string {
  const shown = ['_tenant', '_key', '_position', ...columns.map(column => column.name)].map(quoteName).join(', ')
  return `
do $do$
begin
  drop view if exists ${inViews(name)};
  create view ${inViews(name)} as select ${shown} from ${inViews(table)};
exception when dependent_objects_still_exist then
  raise warning 'bifold: the view % stays on an older generation, since other objects depend on it', '${name}';
end
$do$`
}
