import type { Column } from '../define/index.ts'
import type { Upsert, ViewCommit, ViewShape } from '../project/index.ts'
import type { Statement } from './client.ts'
import { betweenDocs, codecOf, marksFor } from './view-columns.ts'
import { inViews, quoteName, refColumnOf } from './view-names.ts'
import { addingSums, sumsValues, textsOfSums } from './view-rollups.ts'

/**
 * Moves a checkpoint. Whoever names another epoch or position than is stored moves nothing, and has no row as answer.
 */
export const moveStatement: Statement = {
  name: 'bifold_view_move',
  text: `
update bifold_views._checkpoints set position = $7, fingerprint = $8
 where projection = $1 and generation = $2 and shard = $3 and lap = $5::bigint >> 6
   and epoch = $4 and position = $5 and fingerprint = $6
returning position`,
}

type Move = Pick<ViewCommit, 'shard' | 'epoch' | 'from' | 'to'>

export function moveValues(projection: string, generation: number, commit: Move): readonly unknown[] {
  const { shard, epoch, from, to } = commit
  return [projection, generation, shard, epoch, from.position, from.fingerprint, to.position, to.fingerprint]
}

function refColumn(ref: string): Column {
  return { name: refColumnOf(ref), type: 'text', nullable: true }
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
  { projection: { rollups }, columns, stateColumns, refs = [] }: ViewShape,
): CommitVerb {
  const hasSums = Object.keys(rollups).length > 0
  const hasStates = stateColumns !== undefined
  const valuesOf = [
    ...columns.map(column => ({ column, valueIn: ({ row }: Upsert) => row[column.name] })),
    ...refs.map(({ name }) => ({ column: refColumn(name), valueIn: ({ refs: keys }: Upsert) => keys?.[name] })),
  ]
  const own = valuesOf.map(({ column, valueIn }, n) => ({
    name: quoteName(column.name),
    valueIn,
    codec: codecOf(column),
    parameter: `$${14 + n}`,
  }))
  const states = 14 + own.length
  const names = [
    '_tenant',
    '_key',
    '_position',
    '_doc',
    ...own.map(({ name }) => name),
    ...(hasStates ? ['_state'] : []),
  ]
  const sets = [
    'string_to_table($10::text, $6::text)',
    'string_to_table($11::text, $6::text)',
    'unnest($12::text::bigint[])',
    "string_to_table($13::text, e'\\x1f')",
    ...own.map(({ codec, parameter }) => codec.rows(parameter)),
    ...(hasStates ? [`string_to_table($${states}::text, e'\\x1f')`] : []),
  ]
  const written = [
    'new._tenant',
    'new._key',
    'new._position',
    'new._doc::json',
    ...own.map(({ name, codec }) => codec.value(`new.${name}`)),
    ...(hasStates ? ['new._state::json'] : []),
  ]
  const changed = names.slice(2).map(name => `${name} = excluded.${name}`)
  // Where rows refer to others, the shard's dependents are found by an index.
  const [shardName, shardValue] = refs.length === 0 ? ['', ''] : [', _shard', ', $3::integer']
  const sums = {
    first: hasStates ? states + 1 : states,
    shard: '$3',
    separator: '$6',
    when: 'exists (select from moved)',
  }
  const upsert = `
with moved as (
  update bifold_views._checkpoints set position = $8::bigint, fingerprint = $9::text
   where projection = $1 and generation = $2::integer and shard = $3::integer
     and lap = split_part($5::text, '.', 1)::bigint >> 6
     and epoch = $4::bigint and position = split_part($5::text, '.', 1)::bigint and fingerprint = split_part($5::text, '.', 2)
  returning 1
), written as (
  insert into ${inViews(table)} as row (${names.join(', ')}${shardName})
  select ${written.join(', ')}${shardValue}
    from rows from (
      ${sets.join(',\n      ')}
    ) as new(${names.join(', ')})
   where exists (select from moved) and new._key is not null and $7::text is not null
  on conflict (_tenant, _key) do update set ${changed.join(', ')}
)${hasSums ? `, summed as (${addingSums(table, sums)}\n)` : ''}`
  const gone = hasSums ? sums.first + 6 : sums.first
  const [goneTenants, goneKeys] = [gone, gone + 1].map(n => `string_to_table($${n}::text, $6::text)`)
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
  return ({ shard, epoch, from, to, upserts: unsorted, deletes, rollups: added = [] }) => {
    // In the order of the primary key, neighbours find their index page in hand: a third less work for the server.
    const upserts = unsorted.toSorted((a, b) => (a.key < b.key ? -1 : 1))
    const docs = upserts.map(({ doc }) => doc).join(betweenDocs)
    const referred = refs.flatMap(({ name }) => upserts.map(({ refs: keys }) => keys?.[name] ?? ''))
    const tenants = upserts.map(({ tenant }) => tenant)
    const keys = upserts.map(({ key }) => key)
    const deletedTenants = deletes.map(({ tenant }) => tenant)
    const deletedKeys = deletes.map(({ key }) => key)
    const marks = marksFor(docs, [
      ...new Set(tenants),
      ...keys,
      ...new Set(deletedTenants),
      ...deletedKeys,
      ...referred,
      ...textsOfSums(added),
    ])
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
    for (const { valueIn, codec } of own) values.push(codec.encode(upserts.map(valueIn), marks))
    if (hasStates) values.push(upserts.map(({ state }) => state).join(betweenDocs))
    if (hasSums) values.push(...sumsValues(added, marks))
    if (deletes.length === 0) return { statement: upsertStatement, values }
    return {
      statement: deleteStatement,
      values: [...values, deletedTenants.join(separator), deletedKeys.join(separator)],
    }
  }
}
