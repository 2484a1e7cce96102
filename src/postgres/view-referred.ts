import { BifoldError } from '../define/index.ts'
import {
  type Changes,
  type ChangesQuery,
  type Dependent,
  type DependentsQuery,
  lowestOf,
  type PastRow,
  type RowKey,
  rowId,
  type ViewCommit,
} from '../project/index.ts'
import type { Database, Sql, Statement } from './client.ts'
import { betweenDocs, joinTexts, marksFor } from './view-columns.ts'
import { inViews, pastNameOf, quoteName, refColumnOf } from './view-names.ts'
import { anchors, anchorsOf } from './view-read.ts'

/** A statement with its values. */
export interface Asked {
  readonly statement: Statement
  readonly values: readonly unknown[]
}

/** One generation, and its table. */
export interface ViewName {
  readonly projection: string
  readonly generation: number
  readonly table: string
}

/** What stands in the transaction of a commit beside the statement that moves the checkpoint, and after it. */
export function besidesOf(
  view: ViewName,
  { shard, past = [], cursor }: Pick<ViewCommit, 'shard' | 'past' | 'cursor'>,
): readonly Asked[] {
  const asked: Asked[] = []
  if (past.length > 0) asked.push(keepPast(view, past))
  if (cursor !== undefined) {
    asked.push({ statement: cursorStatement, values: [view.projection, view.generation, shard, cursor] })
  }
  return asked
}

const cursorStatement: Statement = {
  name: 'bifold_view_cursor',
  text: `
update bifold_views._checkpoints set cursor = $4, cursor_at = position
 where projection = $1 and generation = $2 and shard = $3`,
}

function keepPast({ table }: ViewName, past: readonly PastRow[]): Asked {
  const docs = past.map(({ doc }) => doc ?? 'null').join(betweenDocs)
  const tenants = past.map(({ tenant }) => tenant)
  const keys = past.map(({ key }) => key)
  const marks = marksFor('', [...new Set(tenants), ...keys])
  return {
    statement: {
      name: `keep_${pastNameOf(table)}`,
      text: `
insert into ${inViews(pastNameOf(table))} (_tenant, _key, _position, _fingerprint, _doc)
select new._tenant, new._key, new._position, coalesce(new._fingerprint, ''), nullif(new._doc, 'null')::json
  from rows from (
    string_to_table($1::text, $6::text), string_to_table($2::text, $6::text), unnest($3::text::bigint[]),
    string_to_table($4::text, ','), string_to_table($5::text, e'\\x1f')
  ) as new(_tenant, _key, _position, _fingerprint, _doc)
on conflict (_tenant, _key, _position) do update set _fingerprint = excluded._fingerprint, _doc = excluded._doc`,
    },
    values: [
      joinTexts(tenants, marks),
      joinTexts(keys, marks),
      `{${past.map(({ position }) => position).join(',')}}`,
      past.map(({ fingerprint }) => fingerprint).join(','),
      docs,
      marks.separator,
    ],
  }
}

interface DocsRow {
  readonly docs: string
}

/**
 * Each row by a subquery of its own: the first change beyond the position says what it was, and where there is none it is
 * what it is, both of one snapshot. These statements have no name and are planned each time: a past that was empty when a
 * plan was made and kept would be walked through ever after.
 */
export function asOfQuery({ table }: ViewName, keys: readonly RowKey[], position: number): Asked {
  const tenants = keys.map(({ tenant }) => tenant)
  const names = keys.map(({ key }) => key)
  const marks = marksFor('', [...new Set(tenants), ...names])
  const text = `
select array_to_string(array(
         select case when past._position is null
                  then (select row._doc::text from ${inViews(table)} row where row._tenant = k._tenant and row._key = k._key)
                  else past._doc::text end
           from rows from (string_to_table($2::text, $4::text), string_to_table($3::text, $4::text))
             with ordinality as k(_tenant, _key, number)
           left join lateral (
             select old._position, old._doc from ${inViews(pastNameOf(table))} old
              where old._tenant = k._tenant and old._key = k._key and old._position > $1::bigint
              order by old._position limit 1
           ) past on true
          order by k.number
       ), e'\\x1f', '') as docs`
  return {
    statement: { text },
    values: [position, joinTexts(tenants, marks), joinTexts(names, marks), marks.separator],
  }
}

export function asOfRead({ docs }: DocsRow, keys: readonly RowKey[]): ReadonlyMap<string, string> {
  const all = docs.split(betweenDocs)
  const found = new Map<string, string>()
  for (const [n, key] of keys.entries()) {
    const doc = all[n]
    if (doc) found.set(rowId(key), doc)
  }
  return found
}

interface ChangesRow {
  readonly anchors: string
  /** A JSON array of arrays: tenant, key, position, fingerprint. */
  readonly changed: string
  /** The shards that have parked keys, as a JSON array. */
  readonly held: string
  readonly pastFrom: number
}

export function changesQuery({ projection, generation, table }: ViewName, query: ChangesQuery): Asked {
  const past = inViews(pastNameOf(table))
  const text = `
select c.anchors, coalesce((
         select json_agg(json_build_array(_tenant, _key, _position, _fingerprint) order by _position, _tenant, _key)
           from ${past}
          where _position > $3::bigint and _position <= coalesce((
            select _position from ${past} where _position > $3::bigint and _position <= $4::bigint
             order by _position offset $5::integer - 1 limit 1), $4::bigint)
       ), '[]')::text as changed,
       coalesce((
         select json_agg(distinct shard) from bifold_views._parked where projection = $1 and generation = $2
       ), '[]')::text as held,
       (select past_from from bifold_views._generations where projection = $1 and generation = $2) as "pastFrom"
  from ${anchors}`
  return { statement: { text }, values: [projection, generation, query.after, query.through, query.limit] }
}

export function changesRead(row: ChangesRow): Changes {
  const changed = JSON.parse(row.changed) as readonly [string, string, number, string][]
  const checkpoints = anchorsOf(row)
  const held = (JSON.parse(row.held) as readonly number[]).flatMap(shard => checkpoints[shard] ?? [])
  return {
    asOf: lowestOf(checkpoints),
    pastFrom: row.pastFrom,
    ...(held.length > 0 && { heldAt: lowestOf(held) }),
    changed: changed.map(([tenant, key, position, fingerprint]) => ({ tenant, key, position, fingerprint })),
  }
}

interface DependentsRow {
  /** A JSON array of arrays: the number of the key referred to, from 1, and the dependent's key. */
  readonly found: string
}

/** The bound of each key's dependents is one of the index: a filter would go through all those before it, for each part anew. */
export function dependentsQuery({ table }: ViewName, query: DependentsQuery): Asked {
  const { shard, ref, keys, after, limit } = query
  const tenants = keys.map(({ tenant }) => tenant)
  const names = keys.map(({ key }) => key)
  const marks = marksFor('', [...new Set(tenants), ...names])
  const text = `
select coalesce(json_agg(json_build_array(number, _key) order by number, _key), '[]')::text as found
  from (
    select k.number, own._key
      from rows from (string_to_table($1::text, $3::text), string_to_table($2::text, $3::text))
        with ordinality as k(_tenant, _key, number),
      lateral (
        select _key from ${inViews(table)} row
         where row._tenant = k._tenant and row.${quoteName(refColumnOf(ref))} = k._key and row._shard = $4::integer
           and row._key > case when k.number = 1 then coalesce($5::text, '') else '' end
         order by _key limit $6::integer
      ) own
     order by k.number, own._key
     limit $6::integer
  ) found`
  const values = [joinTexts(tenants, marks), joinTexts(names, marks), marks.separator, shard, after ?? null, limit]
  return { statement: { text }, values }
}

export function dependentsRead({ found }: DependentsRow, { keys }: DependentsQuery): readonly Dependent[] {
  const pairs = JSON.parse(found) as readonly [number, string][]
  return pairs.map(([number, key]) => ({ tenant: (keys[number - 1] as RowKey).tenant, key, of: number - 1 }))
}

export interface ReferredRow {
  readonly generation: number
}

export const refersToStatement: Statement = {
  name: 'bifold_view_refers_to',
  text: `
select referred_generation as generation from bifold_views._dependents
 where projection = $1 and generation = $2 and referred = $3`,
}

/**
 * Who registers locks the generation that it refers to, as who prunes does: else the past could go between the moment when
 * nobody needed it and the first read of a newcomer.
 */
export function refer(database: Database, view: ViewName, to: Omit<ViewName, 'table'>): Promise<number> {
  return database.transaction(async sql => {
    const [own] = await sql.query<{ dropped: boolean }>(lockPast, [view.projection, view.generation])
    // What is dropped would hold the other one for ever.
    if (own?.dropped !== false) {
      throw new BifoldError('project/generation-dropped', { projection: view.projection, generation: view.generation })
    }
    const [known] = await sql.query<ReferredRow>(refersToStatement, [view.projection, view.generation, to.projection])
    if (known !== undefined) return known.generation
    const [found] = await sql.query<{ dropped: boolean }>(lockPast, [to.projection, to.generation])
    if (found?.dropped !== false) throw new BifoldError('project/generation-dropped', to)
    await sql.query(
      {
        text: `insert into bifold_views._dependents (projection, generation, referred, referred_generation)
               values ($1, $2, $3, $4)`,
      },
      [view.projection, view.generation, to.projection, to.generation],
    )
    return to.generation
  })
}

/** Whoever refers to a generation, lets its past go or drops it does so alone. */
export const lockPast: Statement = {
  text: 'select dropped from bifold_views._generations where projection = $1 and generation = $2 for no key update',
}

/** A generation that goes back to the beginning is a newcomer to those that it refers to: none of them may let go meanwhile. */
export async function lockReferred(sql: Sql, projection: string, generation: number): Promise<void> {
  await sql.query(
    {
      text: `select from bifold_views._generations r
              where (r.projection, r.generation) in (
                select referred, referred_generation from bifold_views._dependents where projection = $1 and generation = $2)
              order by r.projection, r.generation for no key update`,
    },
    [projection, generation],
  )
}

export function prunePast(
  database: Database,
  { projection, generation, table }: ViewName,
  limit: number,
): Promise<number> {
  const past = inViews(pastNameOf(table))
  const text = `
with passed as (
  select min(c.position) as position
    from (select projection, generation from bifold_views._dependents where referred = $1 and referred_generation = $2
           union all
          select $1, $2 where not exists (
            select from bifold_views._dependents where referred = $1 and referred_generation = $2)) needing,
         bifold_views._checkpoints_of(needing.projection, needing.generation) c
), gone as (
  delete from ${past}
   where ctid = any (array(
     select old.ctid from ${past} old, passed where old._position <= passed.position order by old._position limit $3::integer))
  returning _position
), noted as (
  update bifold_views._generations set past_from = greatest(past_from, (select max(_position) from gone))
   where projection = $1 and generation = $2 and exists (select from gone)
)
select count(*) as gone from gone`
  return database.transaction(async sql => {
    await sql.query(lockPast, [projection, generation])
    const [pruned] = await sql.query<{ gone: number }>({ text }, [projection, generation, limit])
    return pruned?.gone ?? 0
  })
}
