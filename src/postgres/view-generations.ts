import { BifoldError } from '../define/index.ts'
import {
  apartOf,
  type Dropping,
  mustBeWhere,
  sameColumns,
  servesJoins,
  stagesOf,
  type ViewShape,
} from '../project/index.ts'
import { ownTablesOf } from './batch-projection.ts'
import { type Database, type Sql, type Statement, sqlStateOf } from './client.ts'
import { againAfterDeadlock } from './deadlock.ts'
import { sqlTypes } from './view-columns.ts'
import { dropLetters, inheritSkips } from './view-letters.ts'
import { endLoads } from './view-load-lock.ts'
import { indexNameOf, inViews, pastNameOf, quoteName, refColumnOf, tableNameOf } from './view-names.ts'
import { lockPast } from './view-referred.ts'
import { sumsTableOf } from './view-rollups.ts'

interface GenerationRow extends FoundGeneration {
  readonly version: number
  readonly columns: string
  readonly stages: string
  readonly definition: string
  /** A JSON array of `RefShape`. */
  readonly refs: string
  readonly served: boolean
}

/** A generation that is there, as it is opened. */
export interface FoundGeneration {
  readonly generation: number
  readonly shards: number
  readonly keepsPast: boolean
  /** Was it made just now? */
  readonly isNew?: boolean
}

/**
 * Of one projection: its generations are made, loaded, emptied and dropped one after the other, and an index that takes
 * minutes holds up no other view. It is not the log's lock: appends go on.
 */
export async function lockGenerations(sql: Sql, projection: string): Promise<void> {
  await sql.query(lockGenerationsStatement, [projection])
}

const lockGenerationsStatement: Statement = { text: 'select pg_advisory_xact_lock(3177002, hashtext($1))' }

/**
 * Finds the newest generation of this shape, or the one that is asked for, or makes one, and makes the declared indexes
 * that it does not have. Under a lock: many processes may open the same new view at once. It is not the log's lock: an
 * index over a large view takes its time, and appends must not wait for it.
 */
export async function openGeneration(
  database: Database,
  shape: ViewShape,
  asked: number | undefined,
): Promise<FoundGeneration> {
  const found = await lookFor(database.sql, shape, asked)
  const isWhole =
    found !== undefined && found.definition !== '' && (await missingIndexes(database.sql, shape, found)).length === 0
  if (isWhole) return found
  const open = async (sql: Sql): Promise<FoundGeneration> => {
    await lockGenerations(sql, shape.projection.name)
    const opened = (await lookFor(sql, shape, asked)) ?? (await makeGeneration(sql, shape))
    if (opened.definition === '') await describeGeneration(sql, shape, opened)
    await makeIndexes(sql, shape, opened)
    return opened
  }
  return againAfterDeadlock(() => database.transaction(open))
}

/** Is there a living process that carries it on? */
const followedStatement: Statement = {
  text: `
select exists (select from bifold_views._members m, json_array_elements(m.views) as knows(view)
                where m.alive_until > clock_timestamp() and knows.view->>0 = $1
                  and (knows.view->>1)::integer = $2) as followed`,
}

/** Makes one more generation of this shape, unless one is being built, or there is one beyond `newest`. */
export async function rebuildGeneration(
  database: Database,
  shape: ViewShape,
  newest = Number.POSITIVE_INFINITY,
): Promise<FoundGeneration> {
  const { name } = shape.projection
  const rebuild = async (sql: Sql): Promise<FoundGeneration> => {
    await lockGenerations(sql, name)
    const all = await readGenerations(sql, name)
    const building = all.find(({ served, generation }) => !served || generation > newest)
    if (building !== undefined) {
      const { generation } = building
      const [{ followed } = { followed: false }] = await sql.query<{ followed: boolean }>(followedStatement, [
        name,
        generation,
      ])
      throw new BifoldError('project/rebuild-running', { projection: name, generation, followed })
    }
    const made = await makeGeneration(sql, shape)
    await makeIndexes(sql, shape, made)
    return made
  }
  return againAfterDeadlock(() => database.transaction(rebuild))
}

/** How long a generation that is to be dropped may be in use by somebody's reading before that is given up. */
const dropPatience = '2s'

/**
 * Drops a generation that does not serve: all of its tables, and its checkpoints. Whoever commits to it meanwhile locks some
 * of them in an order of its own: a batch projection's tables are its user's.
 */
export async function dropGeneration(database: Database, projection: string, generation: number): Promise<Dropping> {
  try {
    return await againAfterDeadlock(() => database.transaction(sql => drop(sql, projection, generation)))
  } catch (error) {
    const dependentObjects = '2BP01'
    if (sqlStateOf(error) === dependentObjects) return 'in-use'
    throw error
  }
}

async function drop(sql: Sql, projection: string, generation: number): Promise<Dropping> {
  const own = [projection, generation] as const
  await lockGenerations(sql, projection)
  const found = (await readGenerations(sql, projection)).find(one => one.generation === generation)
  if (found === undefined) return 'unknown'
  const [active] = await sql.query<{ generation: number }>(
    { text: 'select generation from bifold_views._active where projection = $1 for update' },
    [projection],
  )
  if (active?.generation === generation) return 'active'
  if (await isReferredTo(sql, projection, generation)) return 'in-use'
  // The view with the plain name may have stayed behind when the swap was made.
  await sql.query({ text: 'select bifold_views._point($1)' }, [projection])
  await endLoads(sql, projection, found)
  // Nobody makes another generation, or begins to load one, while this waits for whoever reads the tables, maybe for hours.
  await sql.query({ text: `select set_config('lock_timeout', '${dropPatience}', true)` })
  // Tables before checkpoints, and that of the rows before the others, as whoever commits locks them. Leases before
  // checkpoints, as whoever takes a shard does.
  const tables = await tablesOf(sql, projection, generation)
  await sql.script(`drop table ${tables.map(inViews).join(', ')}`)
  await sql.query({ text: 'delete from bifold_views._leases where projection = $1 and generation = $2' }, own)
  await sql.query(lockCheckpointsStatement, own)
  await sql.query({ text: 'delete from bifold_views._checkpoints where projection = $1 and generation = $2' }, own)
  await sql.query({ text: 'delete from bifold_views._loads where projection = $1 and generation = $2' }, own)
  await dropLetters(sql, projection, generation)
  await sql.query({ text: 'delete from bifold_views._dependents where projection = $1 and generation = $2' }, own)
  await sql.query(
    { text: 'update bifold_views._generations set dropped = true where projection = $1 and generation = $2' },
    own,
  )
  return 'dropped'
}

/** In the order in which a reset of a view that this one refers to locks them. */
const lockCheckpointsStatement: Statement = {
  text: `
select from bifold_views._checkpoints where projection = $1 and generation = $2 order by shard for update`,
}

async function isReferredTo(sql: Sql, projection: string, generation: number): Promise<boolean> {
  await sql.query(lockPast, [projection, generation])
  const referring = await sql.query(
    { text: 'select from bifold_views._dependents where referred = $1 and referred_generation = $2 limit 1' },
    [projection, generation],
  )
  return referring.length > 0
}

/** The table of its rows, and those beside it, whose names begin with that of the first and two underscores. */
export async function tablesOf(sql: Sql, projection: string, generation: number): Promise<readonly string[]> {
  const table = tableNameOf(projection, generation)
  const rows = await sql.query<{ name: string }>(
    {
      text: `select tablename as name from pg_tables
              where schemaname = 'bifold_views' and (tablename = $1 or starts_with(tablename, $1 || '__'))
              order by tablename`,
    },
    [table],
  )
  return rows.map(({ name }) => name)
}

async function readGenerations(sql: Sql, projection: string): Promise<readonly GenerationRow[]> {
  return sql.query<GenerationRow>(
    {
      text: `select generation, version, columns, stages, shards, definition, served, keeps_past as "keepsPast", refs
               from bifold_views._generations where projection = $1 and not dropped order by generation`,
    },
    [projection],
  )
}

async function lookFor(sql: Sql, shape: ViewShape, asked: number | undefined): Promise<GenerationRow | undefined> {
  if (asked !== undefined) return numbered(sql, shape, asked)
  return (await readGenerations(sql, shape.projection.name)).findLast(row => isOfShape(row, shape))
}

async function numbered(sql: Sql, shape: ViewShape, asked: number): Promise<GenerationRow> {
  const { name } = shape.projection
  const found = (await readGenerations(sql, name)).find(({ generation }) => generation === asked)
  if (found === undefined) throw new BifoldError('project/generation-dropped', { projection: name, generation: asked })
  mustBeWhere(shape, asked, apartOf(found.stages))
  return found
}

/** The generation of this number, as it is. */
export function findGeneration({ sql }: Database, shape: ViewShape, generation: number): Promise<FoundGeneration> {
  return numbered(sql, shape, generation)
}

/** The numbers of the generations of this shape, the oldest first. */
export async function knownGenerations({ sql }: Database, shape: ViewShape): Promise<readonly number[]> {
  const all = await readGenerations(sql, shape.projection.name)
  return all.filter(row => isOfShape(row, shape)).map(({ generation }) => generation)
}

function isOfShape(row: GenerationRow, shape: ViewShape): boolean {
  const { projection, columns } = shape
  return (
    row.version === projection.version &&
    row.shards === projection.shards &&
    row.stages === stagesOf(shape) &&
    sameColumns(JSON.parse(row.columns), columns) &&
    servesJoins(shape, { keepsPast: row.keepsPast, refs: JSON.parse(row.refs) })
  )
}

/** A release before this one did not say what the generation is made of. */
async function describeGeneration(sql: Sql, shape: ViewShape, { generation }: FoundGeneration): Promise<void> {
  await sql.query(
    {
      text: `update bifold_views._generations set definition = $3, row_shape = $4
              where projection = $1 and generation = $2 and definition = ''`,
    },
    [shape.projection.name, generation, shape.definition, shape.rowShape],
  )
}

/** Makes the declared indexes that a generation does not have. */
export async function makeIndexes(sql: Sql, shape: ViewShape, found: FoundGeneration): Promise<void> {
  const table = tableNameOf(shape.projection.name, found.generation)
  for (const index of await missingIndexes(sql, shape, found)) {
    const columns = ['_tenant', ...index, '_key'].map(quoteName).join(', ')
    await sql.script(`create index ${quoteName(indexNameOf(table, index))} on ${inViews(table)} (${columns})`)
  }
}

/** How long an index may be in use by somebody's reading before it stays: all who read the table wait behind this. */
const indexPatience = '200ms'

/**
 * The declared indexes are made when all rows are there: each row of many costs less then. After a reset somebody may read
 * for hours what there was before: then they stay.
 */
export async function dropIndexes(sql: Sql, { projection }: ViewShape, { generation }: FoundGeneration): Promise<void> {
  const names = projection.indexes.map(index => indexNameOf(tableNameOf(projection.name, generation), index))
  if (names.length === 0) return
  await sql.script(`savepoint indexes; set local lock_timeout = '${indexPatience}'`)
  try {
    await sql.script(`drop index if exists ${names.map(inViews).join(', ')}; set local lock_timeout = default`)
  } catch (error) {
    const lockNotAvailable = '55P03'
    if (sqlStateOf(error) !== lockNotAvailable) throw error
    await sql.script('rollback to savepoint indexes')
  }
}

/** None of a generation whose rows are being loaded: they are made after the last one. */
async function missingIndexes(
  sql: Sql,
  { projection }: ViewShape,
  { generation }: FoundGeneration,
): Promise<readonly (readonly string[])[]> {
  const table = tableNameOf(projection.name, generation)
  const [found] = await sql.query<{ isLoading: boolean; names: string }>(
    {
      text: `select exists (select from bifold_views._loads where projection = $1 and generation = $2) as "isLoading",
                    (select coalesce(json_agg(indexname), '[]')
                       from pg_indexes where schemaname = 'bifold_views' and tablename = $3) as names`,
    },
    [projection.name, generation, table],
  )
  if (found === undefined || found.isLoading) return []
  const there = new Set(JSON.parse(found.names) as readonly string[])
  const wanted = new Map(projection.indexes.map(index => [indexNameOf(table, index), index]))
  return [...wanted].filter(([name]) => !there.has(name)).map(([, index]) => index)
}

async function makeGeneration(sql: Sql, shape: ViewShape): Promise<GenerationRow> {
  const { projection, columns, definition, rowShape, sums = {}, past: keepsPast = false, refs = [] } = shape
  const { name, version, shards } = projection
  const [made] = await sql.query<GenerationRow>(
    {
      text: `insert into bifold_views._generations
               (projection, generation, version, columns, stages, shards, definition, row_shape, keeps_past, refs, sums)
             select $1, coalesce(max(generation), 0) + 1, $2, $3::json, $4, $5, $6, $7, $8, $9::json, $10::json
               from bifold_views._generations where projection = $1
             returning generation, version, columns, stages, shards, definition, served, keeps_past as "keepsPast", refs`,
    },
    [
      name,
      version,
      JSON.stringify(columns),
      stagesOf(shape),
      shards,
      definition,
      rowShape,
      keepsPast,
      JSON.stringify(refs),
      JSON.stringify(sums),
    ],
  )
  const { generation } = made as GenerationRow
  await sql.query(
    {
      text: `insert into bifold_views._checkpoints (projection, generation, shard)
             select $1, $2, generate_series(0, $3::integer - 1)`,
    },
    [name, generation, shards],
  )
  await inheritSkips(sql, name, generation)
  const table = tableNameOf(name, generation)
  await sql.script(tableOf(table, shape))
  if (keepsPast) await sql.script(pastOf(table))
  if (Object.keys(projection.rollups).length > 0) await sql.script(sumsTableOf(table))
  for (const script of ownTablesOf(projection, table)) await sql.script(script)
  const first = await sql.query(
    {
      text: `insert into bifold_views._active (projection, generation) values ($1, $2)
             on conflict do nothing returning generation`,
    },
    [name, generation],
  )
  const answer = { ...(made as GenerationRow), isNew: true }
  if (first.length === 0) return answer
  await sql.query(
    { text: 'update bifold_views._generations set served = true where projection = $1 and generation = $2' },
    [name, generation],
  )
  await sql.query({ text: 'select bifold_views._point($1)' }, [name])
  return answer
}

/** Room on each page lets an update that changes no indexed column stay on it (HOT) and touch no index. */
const rowsFillfactor = 80

function tableOf(table: string, { columns, stateColumns, refs = [] }: ViewShape): string {
  const own = columns.map(
    ({ name, type, nullable }) => `  ${quoteName(name)} ${sqlTypes[type]}${nullable ? '' : ' not null'},\n`,
  )
  const joins = refs.map(({ name }) => `  ${quoteName(refColumnOf(name))} text collate "C",\n`)
  if (refs.length > 0) joins.push('  _shard integer not null,\n')
  const dependents = refs.map(
    ({ name }, n) =>
      `;\ncreate index ${quoteName(`${table}__ref${n}`)} on ${inViews(table)} (_tenant, ${quoteName(refColumnOf(name))}, _shard, _key)`,
  )
  return `
create table ${inViews(table)} (
  _tenant text collate "C" not null,
  _key text collate "C" not null,
  _position bigint not null,
${own.join('')}${joins.join('')}  _doc json not null,
${stateColumns === undefined ? '' : '  _state json not null,\n'}  primary key (_tenant, _key)
) with (fillfactor = ${rowsFillfactor})${dependents.join('')}`
}

/** What rows were: an entry is added once, read, and deleted when nobody needs it any more. */
function pastOf(table: string): string {
  const past = pastNameOf(table)
  return `
create table ${inViews(past)} (
  _tenant text collate "C" not null,
  _key text collate "C" not null,
  _position bigint not null,
  _fingerprint text collate "C" not null,
  _doc json,
  primary key (_tenant, _key, _position)
);
create index ${quoteName(`${past}_at`)} on ${inViews(past)} (_position)`
}
