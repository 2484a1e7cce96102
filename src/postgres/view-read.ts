import type { Column, ColumnType } from '../define/index.ts'
import type { Anchor } from '../log/index.ts'
import {
  type Checkpoint,
  type Failure,
  type LoadedRow,
  type RowKey,
  rowId,
  type Scalar,
  type Scan,
  type ShardCheckpoint,
  textProblem,
  type ViewShape,
} from '../project/index.ts'
import type { Statement } from './client.ts'
import { betweenDocs, joinTexts, marksFor, sqlTypes } from './view-columns.ts'
import { inViews, quoteName } from './view-names.ts'

export const claimStatement: Statement = {
  name: 'bifold_view_claim',
  text: `
update bifold_views._checkpoints set epoch = epoch + 1
 where projection = $1 and generation = $2 and shard = $3
returning epoch, position, fingerprint, case when cursor_at = position then cursor end as cursor`,
}

export const checkpointStatement: Statement = {
  name: 'bifold_view_checkpoint',
  text: `
select epoch, position, fingerprint, case when cursor_at = position then cursor end as cursor
  from bifold_views._checkpoints_of($1, $2) where shard = $3`,
}

export type CheckpointRow = Checkpoint & { readonly cursor: string | null }

export type ShardRow = CheckpointRow & {
  readonly shard: number
  readonly parked?: number
  /** JSON. */
  readonly failure?: string | null
}

/** As the port has it: there is a cursor or there is none. */
export function checkpointOf<Row extends CheckpointRow>({
  cursor,
  ...checkpoint
}: Row): Omit<Row, 'cursor'> & Checkpoint {
  return cursor === null ? checkpoint : { ...checkpoint, cursor }
}

export const checkpointsStatement: Statement = {
  name: 'bifold_view_checkpoints',
  text: `
select shard, c.epoch, c.position, c.fingerprint, case when c.cursor_at = c.position then c.cursor end as cursor,
       coalesce(p.parked, 0) as parked, l.failure::text as failure
  from bifold_views._checkpoints_of($1, $2) c
  left join (select shard, count(*) as parked from bifold_views._parked
              where projection = $1 and generation = $2 group by shard) p using (shard)
  left join (select shard, failure from bifold_views._leases
              where projection = $1 and generation = $2 and failure is not null
                and lease_until > clock_timestamp()) l using (shard)
 order by shard`,
}

export function shardCheckpointOf({ parked, failure, ...checkpoint }: ShardRow): ShardCheckpoint {
  return {
    ...checkpointOf(checkpoint),
    ...(parked !== undefined && parked > 0 && { parked }),
    ...(failure != null && { failure: JSON.parse(failure) as Failure }),
  }
}

/** The checkpoints of all shards, of the snapshot of the statement that this is a part of, as `anchorsOf` reads them. */
export const anchors = `(
select string_agg(c.shard || '.' || c.position || '.' || c.fingerprint, ',') as anchors
  from bifold_views._checkpoints_of($1, $2) c) c`

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
  /** Those of the keys that are parked, as a JSON array; null where there are none. */
  readonly parked: string | null
}

/** Each row is looked up by a subquery of its own, through the primary key: a join could be planned, and kept, as a walk
 * through all rows. See `commitVerb` for `string_to_table`. */
export function getStatement(table: string): Statement {
  return {
    name: `get_${table}`,
    text: `
select c.anchors,
       ${textsOf(table, 'row._doc::text', ['$3', '$4', '$5'])} as docs,
       case when exists (select from bifold_views._parked where projection = $1 and generation = $2) then (
         select json_agg(json_build_object('tenant', p.tenant, 'key', p.key, 'position', p.position))::text
           from rows from (string_to_table($3::text, $5::text), string_to_table($4::text, $5::text)) as k(_tenant, _key)
          cross join lateral (
            select tenant, key, position from bifold_views._parked
             where projection = $1 and generation = $2 and tenant = k._tenant and key = k._key limit 1) p
       ) end as parked
  from ${anchors}`,
  }
}

/** Rows to fold on: their documents and, where the view has them, their states. */
export function loadStatement(table: string, { stateColumns }: Pick<ViewShape, 'stateColumns'>): Statement {
  const given = ['$1', '$2', '$3'] as const
  const states = stateColumns === undefined ? '' : `,\n       ${textsOf(table, 'row._state::text', given)} as states`
  return {
    name: `load_${table}`,
    text: `
select ${textsOf(table, "row._position || ' ' || row._doc::text", given)} as docs${states}`,
  }
}

/** The texts of an expression over the rows under the keys of these parameters, one after the other. */
function textsOf(table: string, text: string, [tenants, keys, separator]: readonly [string, string, string]): string {
  return `array_to_string(array(
         select (select ${text} from ${inViews(table)} row where row._tenant = k._tenant and row._key = k._key)
           from rows from (string_to_table(${tenants}::text, ${separator}::text), string_to_table(${keys}::text, ${separator}::text))
             with ordinality as k(_tenant, _key, number)
          order by k.number
       ), e'\\x1f', '')`
}

export interface LoadRow {
  /** Each with its position before it. */
  readonly docs: string
  readonly states?: string
}

export function loadedOf({ docs, states }: LoadRow, keys: readonly RowKey[]): ReadonlyMap<string, LoadedRow> {
  const ofStates = states === undefined ? undefined : docsOf({ docs: states }, keys)
  const found = new Map<string, LoadedRow>()
  for (const [n, text] of docsOf({ docs }, keys).entries()) {
    if (text === null) continue
    const end = text.indexOf(' ')
    const row = { position: Number(text.slice(0, end)), doc: text.slice(end + 1) }
    const state = ofStates?.[n]
    found.set(rowId(keys[n] as RowKey), state == null ? row : { ...row, state })
  }
  return found
}

export function getValues(projection: string, generation: number, keys: readonly RowKey[]): readonly unknown[] {
  return [projection, generation, ...loadValues(keys)]
}

export function loadValues(keys: readonly RowKey[]): readonly unknown[] {
  // No row has an empty key: it stands for one that could not be sent.
  const tenants = keys.map(({ tenant }) => sendable(tenant))
  const names = keys.map(({ key }) => sendable(key))
  const marks = marksFor('', [...new Set(tenants), ...names])
  return [joinTexts(tenants, marks), joinTexts(names, marks), marks.separator]
}

function sendable(text: string): string {
  return textProblem(text) === undefined ? text : ''
}

export function docsOf({ docs }: Pick<GetRow, 'docs'>, keys: readonly RowKey[]): readonly (string | null)[] {
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
