import type { Column, ColumnType } from '../define/index.ts'
import type { Anchor } from '../log/index.ts'
import { type Checkpoint, type RowKey, type Scalar, type Scan, textProblem } from '../project/index.ts'
import type { Statement } from './client.ts'
import { betweenDocs, joinTexts, marksFor, sqlTypes } from './view-columns.ts'
import { inViews, quoteName } from './view-names.ts'

export const claimStatement: Statement = {
  name: 'bifold_view_claim',
  text: `
insert into bifold_views._checkpoints (projection, generation, shard, epoch) values ($1, $2, $3, 1)
on conflict (projection, generation, shard) do update set epoch = _checkpoints.epoch + 1
returning epoch, position, fingerprint`,
}

export const checkpointStatement: Statement = {
  name: 'bifold_view_checkpoint',
  text: `
select epoch, position, fingerprint
  from bifold_views._checkpoints where projection = $1 and generation = $2 and shard = $3`,
}

export type CheckpointRow = Checkpoint

export const checkpointsStatement: Statement = {
  name: 'bifold_view_checkpoints',
  text: `
select shard, epoch, position, fingerprint
  from bifold_views._checkpoints where projection = $1 and generation = $2 order by shard`,
}

/** The checkpoints of all shards, of the snapshot of the statement that this is a part of, as `anchorsOf` reads them. */
const anchors = `(
select string_agg(shard || '.' || position || '.' || fingerprint, ',') as anchors
  from bifold_views._checkpoints where projection = $1 and generation = $2) c`

export function anchorsOf({ anchors }: { readonly anchors: string }): readonly Anchor[] {
  const found: Anchor[] = []
  for (const one of anchors.split(',')) {
    const [shard, position, fingerprint = ''] = one.split('.')
    found[Number(shard)] = { position: Number(position), fingerprint }
  }
  return found
}

/** Rows by key, and the checkpoints of the same snapshot: one row, which is read faster than one each, and of which `docs` has a document or nothing per key. */
export interface GetRow {
  readonly anchors: string
  readonly docs: string
}

/** Each row is looked up by a subquery of its own, through the primary key: a join could be planned, and kept, as a walk
 * through all rows. See `commitVerb` for `string_to_table`. */
export function getStatement(table: string): Statement {
  return {
    name: `get_${table}`,
    text: `
select c.anchors,
       array_to_string(array(
         select (select row._doc::text from ${inViews(table)} row where row._tenant = k._tenant and row._key = k._key)
           from rows from (string_to_table($3::text, $5::text), string_to_table($4::text, $5::text))
             with ordinality as k(_tenant, _key, number)
          order by k.number
       ), e'\\x1f', '') as docs
  from ${anchors}`,
  }
}

export function getValues(projection: string, generation: number, keys: readonly RowKey[]): readonly unknown[] {
  // No row has an empty key: it stands for one that could not be sent.
  const tenants = keys.map(({ tenant }) => sendable(tenant))
  const names = keys.map(({ key }) => sendable(key))
  const marks = marksFor('', [...new Set(tenants), ...names])
  return [projection, generation, joinTexts(tenants, marks), joinTexts(names, marks), marks.separator]
}

function sendable(text: string): string {
  return textProblem(text) === undefined ? text : ''
}

export function docsOf({ docs }: GetRow, keys: readonly RowKey[]): readonly (string | null)[] {
  const all = docs.split(betweenDocs)
  return keys.map((_, n) => all[n] || null)
}

/** The rows of a scan in their order, and the checkpoints of the same snapshot: one row. */
export interface ListRow {
  readonly anchors: string
  /** A JSON array. */
  readonly keys: string | null
  readonly docs: string | null
}

export function listedOf({ keys, docs }: ListRow): readonly { readonly key: string; readonly doc: string }[] {
  if (keys === null || docs === null) return []
  const all = docs.split(betweenDocs)
  return (JSON.parse(keys) as readonly string[]).map((key, n) => ({ key, doc: all[n] as string }))
}

const operators = { gt: '>', gte: '>=', lt: '<', lte: '<=' } as const
type Bound = keyof typeof operators

/**
 * Reads rows along an index, from a row on. All conditions are on a leading part of (tenant, columns, key), and the order
 * is that of the index, forwards or backwards; so the database walks the index and stops at the limit.
 */
export function listQuery(
  projection: string,
  generation: number,
  table: string,
  columns: readonly Column[],
  scan: Scan,
): { readonly statement: Statement; readonly values: readonly unknown[] } {
  const { index, equal, range, order, after, limit } = scan
  const typeOf = (name: string): ColumnType => columns.find(column => column.name === name)?.type ?? 'text'
  const values: unknown[] = [projection, generation, scan.tenant, limit]
  const parameter = (name: string, value: Scalar): string => {
    values.push(String(value))
    return `$${values.length}::text::${sqlTypes[typeOf(name)]}`
  }
  const conditions = ['_tenant = $3']
  for (const [n, value] of equal.entries()) {
    const name = index[n] as string
    conditions.push(`${quoteName(name)} = ${parameter(name, value)}`)
  }
  const ranged = index[equal.length]
  for (const bound of Object.keys(operators) as Bound[]) {
    const value = range[bound]
    if (ranged === undefined || value === undefined) continue
    conditions.push(`${quoteName(ranged)} ${operators[bound]} ${parameter(ranged, value)}`)
  }
  const rest = index.slice(equal.length)
  if (after !== undefined) {
    const from = rest.map((name, n) => parameter(name, after.values[equal.length + n] as Scalar))
    values.push(after.key)
    const row = [...rest.map(quoteName), '_key'].join(', ')
    conditions.push(`(${row}) ${order === 'asc' ? '>' : '<'} (${[...from, `$${values.length}`].join(', ')})`)
  }
  const by = [...index.map(quoteName), '_key'].map(name => `${name} ${order}`).join(', ')
  const text = `
select c.anchors, l.keys, l.docs
  from ${anchors},
       (select json_agg(_key)::text as keys, string_agg(_doc::text, e'\\x1f') as docs
          from (select _key, _doc from ${inViews(table)}
                 where ${conditions.join(' and ')}
                 order by ${by}
                 limit $4::integer) r) l`
  return { statement: { text }, values }
}
