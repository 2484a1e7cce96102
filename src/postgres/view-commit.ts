import type { Column } from '../define/index.ts'
import type { ViewCommit } from '../project/index.ts'
import type { Statement } from './client.ts'
import { betweenDocs, codecOf, marksFor } from './view-columns.ts'
import { inViews, quoteName } from './view-names.ts'

/**
 * Moves a checkpoint. Whoever names another epoch or position than is stored moves nothing, and has no row as answer.
 */
export const moveStatement: Statement = {
  name: 'bifold_view_move',
  text: `
update bifold_views._checkpoints set position = $7, fingerprint = $8
 where projection = $1 and generation = $2 and shard = $3 and epoch = $4 and position = $5 and fingerprint = $6
returning position`,
}

export function moveValues(projection: string, generation: number, commit: ViewCommit): readonly unknown[] {
  const { shard, epoch, from, to } = commit
  return [projection, generation, shard, epoch, from.position, from.fingerprint, to.position, to.fingerprint]
}

/** Moves a checkpoint and writes rows, in one statement. */
export interface CommitVerb {
  readonly statement: Statement
  values(commit: ViewCommit): readonly unknown[]
}

/**
 * The checkpoint goes first, and all else selects from it: a statement that moves no checkpoint writes no row. The other
 * way round, rows are overwritten by the time the checkpoint is found to be another's.
 *
 * Rows are found one by one through the primary key, by a scalar subquery: a plan that was made while the table was
 * small would otherwise read all of it, ever after.
 */
export function commitVerb(
  projection: string,
  generation: number,
  table: string,
  columns: readonly Column[],
): CommitVerb {
  const own = columns.map((column, n) => ({
    name: quoteName(column.name),
    codec: codecOf(column),
    parameter: `$${16 + n}`,
  }))
  const names = ['_tenant', '_key', '_position', '_doc', ...own.map(({ name }) => name)]
  const arrays = [
    'string_to_array($10::text, $6::text)',
    'string_to_array($11::text, $6::text)',
    '$12::text::bigint[]',
    "string_to_array($13::text, e'\\x1f')",
    ...own.map(({ codec, parameter }) => codec.array(parameter)),
  ]
  const written = [
    'new._tenant',
    'new._key',
    'new._position',
    'new._doc::json',
    ...own.map(({ name, codec }) => codec.value(`new.${name}`)),
  ]
  const text = `
with moved as (
  update bifold_views._checkpoints set position = $8::bigint, fingerprint = $9::text
   where projection = $1 and generation = $2::integer and shard = $3::integer
     and epoch = $4::bigint and position = split_part($5::text, '.', 1)::bigint and fingerprint = split_part($5::text, '.', 2)
  returning 1
), deleted as (
  delete from ${inViews(table)}
   where exists (select from moved)
     and ctid = any (array(
       select (select old.ctid from ${inViews(table)} old where old._tenant = gone._tenant and old._key = gone._key)
         from unnest(string_to_array($14::text, $6::text), string_to_array($15::text, $6::text)) as gone(_tenant, _key)
     ))
), written as (
  insert into ${inViews(table)} (${names.join(', ')})
  select ${written.join(', ')}
    from unnest(
      ${arrays.join(',\n      ')}
    ) as new(${names.join(', ')})
   where exists (select from moved) and new._key is not null and $7::text is not null
  on conflict (_tenant, _key) do update set ${names
    .slice(2)
    .map(name => `${name} = excluded.${name}`)
    .join(', ')}
)
select 1 as moved from moved`
  return {
    statement: { name: `commit_${table}`, text },
    values: ({ shard, epoch, from, to, upserts: unsorted, deletes }) => {
      // In the order of the primary key, neighbours find their index page in hand: a third less work for the server.
      const upserts = unsorted.toSorted((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0))
      const docs = upserts.map(({ doc }) => doc).join(betweenDocs)
      const tenants = upserts.map(({ tenant }) => tenant)
      const keys = upserts.map(({ key }) => key)
      const goneTenants = deletes.map(({ tenant }) => tenant)
      const goneKeys = deletes.map(({ key }) => key)
      const marks = marksFor(docs, [...new Set(tenants), ...keys, ...new Set(goneTenants), ...goneKeys])
      const { separator, nothing } = marks
      return [
        projection,
        generation,
        shard,
        epoch,
        `${from.position}.${from.fingerprint}`,
        separator,
        nothing,
        to.position,
        to.fingerprint,
        tenants.join(separator),
        keys.join(separator),
        `{${upserts.map(({ position }) => position).join(',')}}`,
        docs,
        goneTenants.join(separator),
        goneKeys.join(separator),
        ...columns.map((column, n) =>
          (own[n] as (typeof own)[number]).codec.encode(
            upserts.map(({ row }) => row[column.name]),
            marks,
          ),
        ),
      ]
    },
  }
}
