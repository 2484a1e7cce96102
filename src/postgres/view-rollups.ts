import {
  lowestOf,
  type Read,
  type RollupGroup,
  type RollupSum,
  type RowKey,
  rowCount,
  type Scan,
  type StoredSum,
  type ViewCommit,
} from '../project/index.ts'
import type { Statement } from './client.ts'
import { joinTexts, type Marks, marksFor } from './view-columns.ts'
import { inViews, sumsNameOf } from './view-names.ts'
import { anchors, anchorsOf, loadValues } from './view-read.ts'
import type { Asked, ViewName } from './view-referred.ts'

/** Room on each page lets a sum, which changes often, stay on it (HOT). */
const sumsFillfactor = 50

/**
 * The sums of a generation. A row for each sum, group and shard: no two shards write the same one, and adding up when they
 * are read is exact. Values have no bound, so that no sum can stop a shard.
 */
export function sumsTableOf(table: string): string {
  return `
create table ${inViews(sumsNameOf(table))} (
  _rollup text collate "C" not null,
  _tenant text collate "C" not null,
  _group text collate "C" not null,
  _sum text collate "C" not null,
  _shard integer not null,
  _rows bigint not null,
  _value numeric not null,
  primary key (_rollup, _tenant, _group, _sum, _shard)
) with (fillfactor = ${sumsFillfactor})`
}

/** Where a statement has what is to be added: six parameters from `first` on, each a list. */
export interface SumsParameters {
  readonly first: number
  readonly shard: string
  readonly separator: string
  /** On what condition. */
  readonly when: string
}

/**
 * Adds to the sums of a shard. One to which no row adds any more stays, as nothing, until `sweepSums`: to look for such ones
 * here would be a plan that cannot be kept (see `commitVerb`), for every commit in which a row changes its group.
 */
export function addingSums(table: string, { first, shard, separator, when }: SumsParameters): string {
  const texts = [0, 1, 2, 3].map(n => `string_to_table($${first + n}::text, ${separator}::text)`)
  return `
  insert into ${inViews(sumsNameOf(table))} as sum (_rollup, _tenant, _group, _sum, _shard, _rows, _value)
  select added._rollup, added._tenant, added._group, added._sum, ${shard}::integer, added._rows, added._value
    from rows from (
      ${texts.join(',\n      ')},
      unnest($${first + 4}::text::bigint[]), unnest($${first + 5}::text::numeric[])
    ) as added(_rollup, _tenant, _group, _sum, _rows, _value)
   where added._group is not null and ${when}
  on conflict (_rollup, _tenant, _group, _sum, _shard)
  do update set _rows = sum._rows + excluded._rows, _value = sum._value + excluded._value`
}

/** The texts among what is to be added, of which a mark has to keep clear. */
export function textsOfSums(rollups: readonly RollupSum[]): readonly string[] {
  return rollups.flatMap(({ tenant, group }) => [tenant, group])
}

export function sumsValues(rollups: readonly RollupSum[], marks: Marks): readonly string[] {
  const joined = (of: (sum: RollupSum) => string): string =>
    rollups.length === 0 ? '' : joinTexts(rollups.map(of), marks)
  return [
    joined(({ rollup }) => rollup),
    joined(({ tenant }) => tenant),
    joined(({ group }) => group),
    joined(({ sum }) => sum),
    `{${rollups.map(({ rows }) => rows).join()}}`,
    `{${rollups.map(({ value }) => value).join()}}`,
  ]
}

/** Sums that one statement of a bulk load takes. */
const statementSums = 10_000

/** Adds what a bulk load adds up to. */
export function addSums({ table }: ViewName, shard: number, rollups: readonly RollupSum[] = []): readonly Asked[] {
  const text = addingSums(table, { first: 3, shard: '$1', separator: '$2', when: 'true' })
  const asked: Asked[] = []
  for (let at = 0; at < rollups.length; at += statementSums) {
    const some = rollups.slice(at, at + statementSums)
    const marks = marksFor('', textsOfSums(some))
    asked.push({ statement: { text }, values: [shard, marks.separator, ...sumsValues(some, marks)] })
  }
  return asked
}

/** How often rows may leave groups before the sums that came to nothing are swept away. */
const leavesPerSweep = 10_000

/** Tells when a commit should sweep away, beside what it does, the sums of its shard that came to nothing. */
export function makeSweeps({ table }: ViewName): (commit: ViewCommit) => readonly Asked[] {
  const left = new Map<number, number>()
  const statement: Statement = {
    text: `delete from ${inViews(sumsNameOf(table))} where _shard = $1 and _rows = 0`,
  }
  return ({ shard, rollups = [] }) => {
    const leaves = rollups.filter(({ rows }) => rows < 0).length
    // The first time, those of the process before go.
    const count = (left.get(shard) ?? leavesPerSweep) + leaves
    const isDue = leaves > 0 && count > leavesPerSweep
    left.set(shard, isDue ? 0 : count)
    return isDue ? [{ statement, values: [shard] }] : []
  }
}

/** The sums of one group over all shards. A group without rows has none. */
function sumsOf(table: string, tenant: string, group: string): string {
  return `(select _sum, sum(_value)::text as value from ${inViews(sumsNameOf(table))}
                where _rollup = $3 and _tenant = ${tenant} and _group = ${group} and _rows > 0 group by _sum)`
}

interface GroupsRow {
  readonly anchors: string
  /** A JSON array of arrays: which group, the name of a sum, and its value as text. */
  readonly sums: string | null
}

export function groupsQuery(view: ViewName, rollup: string, groups: readonly RowKey[]): Asked {
  const { projection, generation, table } = view
  return {
    statement: {
      name: `groups_${table}`,
      text: `
select c.anchors,
       (select json_agg(json_build_array(k.number - 1, s._sum, s.value) order by s._sum)::text
          from rows from (string_to_table($4::text, $6::text), string_to_table($5::text, $6::text))
            with ordinality as k(_tenant, _group, number)
         cross join lateral ${sumsOf(table, 'k._tenant', 'k._group')} s) as sums
  from ${anchors}`,
    },
    values: [projection, generation, rollup, ...loadValues(groups)],
  }
}

export function groupsRead(row: GroupsRow, groups: readonly RowKey[]): Read<readonly (RollupGroup | null)[]> {
  const found = gathered<number>(row)
  const value = groups.map(({ key }, n) => {
    const sums = found.get(n)
    return sums === undefined ? null : { group: key, sums }
  })
  return { value, asOf: lowestOf(anchorsOf(row)) }
}

const operators = { gt: '>', gte: '>=', lt: '<', lte: '<=' } as const

export function groupListQuery(view: ViewName, rollup: string, scan: Scan): Asked {
  const { projection, generation, table } = view
  const values: unknown[] = [projection, generation, rollup, scan.tenant, scan.limit]
  const conditions: string[] = []
  const bound = (operator: string, value: unknown): void => {
    values.push(value)
    conditions.push(` and _group ${operator} $${values.length}`)
  }
  for (const value of scan.equal) bound('=', value)
  for (const [name, operator] of Object.entries(operators) as [keyof typeof operators, string][]) {
    if (scan.range[name] !== undefined) bound(operator, scan.range[name])
  }
  if (scan.after !== undefined) bound(scan.order === 'asc' ? '>' : '<', scan.after.key)
  return {
    statement: {
      text: `
select c.anchors,
       (select json_agg(json_build_array(g._group, s._sum, s.value) order by g._group ${scan.order}, s._sum)::text
          from (select distinct _group from ${inViews(sumsNameOf(table))}
                 where _rollup = $3 and _tenant = $4 and _sum = '${rowCount}' and _rows > 0${conditions.join('')}
                 order by _group ${scan.order} limit $5::integer) g
         cross join lateral ${sumsOf(table, '$4', 'g._group')} s) as sums
  from ${anchors}`,
    },
    values,
  }
}

export function groupListRead(row: GroupsRow): Read<readonly RollupGroup[]> {
  const value = Array.from(gathered<string>(row), ([group, sums]) => ({ group, sums }))
  return { value, asOf: lowestOf(anchorsOf(row)) }
}

/** The sums of each group; the row that counts a group's rows only says that it is there. */
function gathered<Group>({ sums }: GroupsRow): ReadonlyMap<Group, RollupGroup['sums']> {
  const groups = new Map<Group, [string, bigint][]>()
  for (const [group, sum, value] of JSON.parse(sums ?? '[]') as [Group, string, string][]) {
    const own = groups.get(group) ?? []
    groups.set(group, own)
    if (sum !== rowCount) own.push([sum, BigInt(value)])
  }
  return groups
}

/** All sums, in the order in which snapshots give them. */
export function allSumsText(table: string): string {
  return `
select _rollup as rollup, _tenant as tenant, _group as "group", _sum as sum, _shard as shard, _rows as rows,
       _value::text as value
  from ${inViews(sumsNameOf(table))} where _rows <> 0 order by _rollup, _tenant, _group, _sum, _shard`
}

export type SumRow = Omit<RollupSum, 'value'> & { readonly shard: number; readonly value: string }

export function storedSumOf({ value, ...sum }: SumRow): StoredSum {
  return { ...sum, value: BigInt(value) }
}
