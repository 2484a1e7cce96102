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
export type CommitVerb = (commit: ViewCommit) => {
  readonly statement: Statement
  readonly values: readonly unknown[]
}

/**
 * The checkpoint goes first, and all else selects from it: a statement that moves no checkpoint writes no row. The other
 * way round, rows are overwritten by the time the checkpoint is found to be another's.
 *
 * Two things about plans. Lists are taken apart by `string_to_table`, of which the planner expects as much whatever is in
 * it: it then keeps one plan, where it would make a new one for each short list. And a statement that deletes has no
 * name, so that it is planned each time: a plan that was kept since the table was small reads all of it, ever after.
 */
export function commitVerb(
  projection: string,
  generation: number,
  table: string,
  columns: readonly Column[],
): CommitVerb {
  const own = columns.map((column, n) => ({
    name: quoteName(column.name),
    column: column.name,
    codec: codecOf(column),
    parameter: `$${14 + n}`,
  }))
  const names = ['_tenant', '_key', '_position', '_doc', ...own.map(({ name }) => name)]
  const sets = [
    'string_to_table($10::text, $6::text)',
    'string_to_table($11::text, $6::text)',
    'unnest($12::text::bigint[])',
    "string_to_table($13::text, e'\\x1f')",
    ...own.map(({ codec, parameter }) => codec.rows(parameter)),
  ]
  const written = [
    'new._tenant',
    'new._key',
    'new._position',
    'new._doc::json',
    ...own.map(({ name, codec }) => codec.value(`new.${name}`)),
  ]
  const changed = names.slice(2).map(name => `${name} = excluded.${name}`)
  const upsert = `
with moved as (
  update bifold_views._checkpoints set position = $8::bigint, fingerprint = $9::text
   where projection = $1 and generation = $2::integer and shard = $3::integer
     and epoch = $4::bigint and position = split_part($5::text, '.', 1)::bigint and fingerprint = split_part($5::text, '.', 2)
  returning 1
), written as (
  insert into ${inViews(table)} (${names.join(', ')})
  select ${written.join(', ')}
    from rows from (
      ${sets.join(',\n      ')}
    ) as new(${names.join(', ')})
   where exists (select from moved) and new._key is not null and $7::text is not null
  on conflict (_tenant, _key) do update set ${changed.join(', ')}
)`
  const [goneTenants, goneKeys] = [14, 15].map(n => `string_to_table($${n + own.length}::text, $6::text)`)
  const upsertStatement: Statement = {
    name: `commit_${table}`,
    text: `${upsert}
select 1 as moved from moved`,
  }
  const deleteStatement: Statement = {
    text: `${upsert}, deleted as (
  delete from ${inViews(table)}
   where exists (select from moved)
     and ctid = any (array(
       select (select old.ctid from ${inViews(table)} old where old._tenant = gone._tenant and old._key = gone._key)
         from rows from (${goneTenants}, ${goneKeys}) as gone(_tenant, _key)
     ))
)
select 1 as moved from moved`,
  }
  return ({ shard, epoch, from, to, upserts: unsorted, deletes }) => {
    // In the order of the primary key, neighbours find their index page in hand: a third less work for the server.
    const upserts = unsorted.toSorted((a, b) => (a.key < b.key ? -1 : 1))
    const docs = upserts.map(({ doc }) => doc).join(betweenDocs)
    const tenants = upserts.map(({ tenant }) => tenant)
    const keys = upserts.map(({ key }) => key)
    const deletedTenants = deletes.map(({ tenant }) => tenant)
    const deletedKeys = deletes.map(({ key }) => key)
    const marks = marksFor(docs, [...new Set(tenants), ...keys, ...new Set(deletedTenants), ...deletedKeys])
    const { separator, nothing } = marks
    const values = [
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
    ]
    for (const { column, codec } of own) {
      const given = upserts.map(({ row }) => row[column])
      values.push(codec.encode(given, marks))
    }
    if (deletes.length === 0) return { statement: upsertStatement, values }
    return {
      statement: deleteStatement,
      values: [...values, deletedTenants.join(separator), deletedKeys.join(separator)],
    }
  }
}
