import {
  type DeadLetters,
  isSameRequest,
  type Letter,
  type LetterRequest,
  type ListedKey,
  type Parking,
  type RowKey,
  rowId,
  type Skip,
  type Standing,
  shardOf,
} from '../project/index.ts'
import type { Sql, Statement } from './client.ts'

// Lists travel as one JSON text: dead letters are few, and their statements need not be the fastest.

const lettersStatement: Statement = {
  name: 'bifold_letters_parked',
  text: `
select tenant, key, position, refs_at as "refsAt" from bifold_views._parked
 where projection = $1 and generation = $2 and ($3::integer is null or shard = $3)
 order by tenant, key`,
}

const skipsStatement: Statement = {
  name: 'bifold_letters_skips',
  text: `
select tenant, key, position, reason, to_char(skipped_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as at
  from bifold_views._skips
 where projection = $1 and generation = $2
 order by tenant, key, position`,
}

/** Along the key: of one row, however many others have skips. */
const skipsOfStatement: Statement = {
  name: 'bifold_letters_skips_of',
  text: skipsStatement.text.replace('generation = $2', 'generation = $2 and tenant = $3 and key = $4'),
}

const listStatement: Statement = {
  name: 'bifold_letters_list',
  text: `
select tenant, key, shard, position, refs_at as "refsAt", code, message, stack, attempts,
       to_char(since at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as since,
       (select count(*) from bifold_views._dead_letters l
         where l.projection = p.projection and l.generation = p.generation and l.tenant = p.tenant and l.key = p.key) as events
  from bifold_views._parked p
 where projection = $1 and generation = $2 and (tenant, key) > ($3, $4)
 order by tenant, key
 limit $5`,
}

const findStatement: Statement = {
  name: 'bifold_letters_find',
  text: listStatement.text.replace('(tenant, key) > ($3, $4)', '(tenant, key) = ($3, $4)'),
}

const positionsStatement: Statement = {
  name: 'bifold_letters_positions',
  text: `
select position from bifold_views._dead_letters
 where projection = $1 and generation = $2 and tenant = $3 and key = $4 and position > $5
 order by position
 limit $6`,
}

/**
 * The key is locked, so that a commit that frees it at the same time either sees the request or leaves none. What is asked
 * for already is written as it stands: so it is read whoever has just asked for it, and nobody else answers it meanwhile.
 */
const requestStatement: Statement = {
  name: 'bifold_letters_request',
  text: `
with asked as (
  select tenant, key, position from bifold_views._parked
   where projection = $1 and generation = $2 and ($3::text is null or (tenant, key) = ($3::text, $4::text))
     for key share
), made as (
  insert into bifold_views._letter_requests as standing (projection, generation, tenant, key, position, action, reason)
  select $1, $2, tenant, key, coalesce($5::bigint, position), $6, $7 from asked
  on conflict (projection, generation, tenant, key) do update set action = standing.action
  returning tenant, key, position, action, reason
)
select (select count(*) from made) as keys,
       (select row_to_json(made) from made where $3::text is not null) as standing`,
}

const requestsStatement: Statement = {
  name: 'bifold_letters_requests',
  text: `
select r.tenant, r.key, r.position, r.action, r.reason
  from bifold_views._letter_requests r join bifold_views._parked p using (projection, generation, tenant, key)
 where projection = $1 and generation = $2 and p.shard = $3
 order by r.tenant, r.key
 limit $4`,
}

const openRequestsStatement: Statement = {
  name: 'bifold_letters_open_requests',
  text: `
select count(*) as open from bifold_views._letter_requests
 where projection = $1 and generation = $2 and ($3::text is null or (tenant, key) = ($3::text, $4::text))`,
}

interface RequestRow extends Letter {
  readonly action: 'retry' | 'skip'
  readonly reason: string | null
}

interface StandingRow extends Letter {
  readonly refsAt: number | null
}

interface ListedRow extends Omit<ListedKey, 'stack' | 'refsAt'> {
  readonly stack: string | null
  readonly refsAt: number | null
}

export type Ask = <Row>(statement: Statement, values: readonly unknown[]) => Promise<readonly Row[]>

/** The dead letters of one generation. @param ask runs a statement that stands alone, and gives its errors their code. */
export function deadLettersOf(projection: string, generation: number, shards: number, ask: Ask): DeadLetters {
  const own = [projection, generation] as const
  return {
    held: async shard => {
      const parked = await ask<StandingRow>(lettersStatement, [...own, shard])
      const skips = await ask<Skip>(skipsStatement, own)
      return {
        parked: parked.map(letterOf),
        skips: skips.map(letterOf).filter(skip => shardOf(skip, shards) === shard),
      }
    },
    list: async ({ after, limit }) =>
      (await ask<ListedRow>(listStatement, [...own, after?.tenant ?? '', after?.key ?? '', limit])).map(listedOf),
    find: async ({ tenant, key }) => {
      const [found] = await ask<ListedRow>(findStatement, [...own, tenant, key, 1])
      return found && listedOf(found)
    },
    positions: async ({ tenant, key }, after, limit) => {
      const found = await ask<{ position: number }>(positionsStatement, [...own, tenant, key, after, limit])
      return found.map(({ position }) => position)
    },
    request: async request => {
      const values =
        request === 'retry-all'
          ? [null, null, null, 'retry', null]
          : [
              ...[request.tenant, request.key, request.position, request.action],
              request.action === 'skip' ? request.reason : null,
            ]
      const [made] = await ask<{ keys: number; standing: string | null }>(requestStatement, [...own, ...values])
      if (request === 'retry-all' || made?.standing == null) return { keys: made?.keys ?? 0 }
      const standing = requestOf(JSON.parse(made.standing) as RequestRow)
      return isSameRequest(standing, request) ? { keys: 1 } : { keys: 0, pending: standing }
    },
    requests: async (shard, limit) => (await ask<RequestRow>(requestsStatement, [...own, shard, limit])).map(requestOf),
    openRequests: async key => {
      const values = [...own, key?.tenant ?? null, key?.key ?? null]
      return (await ask<{ open: number }>(openRequestsStatement, values))[0]?.open ?? 0
    },
    skips: key =>
      key === undefined ? ask<Skip>(skipsStatement, own) : ask<Skip>(skipsOfStatement, [...own, key.tenant, key.key]),
  }
}

/** Every parked key and every skip of a generation, within the transaction of `sql`. */
export async function readAllLetters(
  sql: Sql,
  projection: string,
  generation: number,
): Promise<{ readonly parked: readonly Standing[]; readonly skips: readonly Letter[] }> {
  const parked = await sql.query<StandingRow>(lettersStatement, [projection, generation, null])
  const skips = await sql.query<Skip>(skipsStatement, [projection, generation])
  return { parked: parked.map(standingOf), skips: skips.map(letterOf) }
}

function standingOf<T extends StandingRow>({ refsAt, ...standing }: T): Omit<T, 'refsAt'> & Standing {
  return refsAt === null ? standing : { ...standing, refsAt }
}

function letterOf({ tenant, key, position }: Letter): Letter {
  return { tenant, key, position }
}

function listedOf({ stack, ...row }: ListedRow): ListedKey {
  const listed = standingOf(row)
  return stack === null ? listed : { ...listed, stack }
}

function requestOf({ action, reason, ...letter }: RequestRow): LetterRequest {
  return action === 'skip' ? { ...letter, action, reason: reason ?? '' } : { ...letter, action }
}

/**
 * Shards that park at the same time are counted one after the other. Whoever is about to park takes this before it moves its
 * checkpoint, in the order in which a generation is dropped or gives way to another one.
 */
export async function lockParking(
  sql: Sql,
  projection: string,
  generation: number,
  { letters }: Parking,
): Promise<void> {
  if (letters.length > 0) await sql.query(lockStatement, [projection, generation])
}

const lockStatement: Statement = {
  text: `
select from bifold_views._generations where projection = $1 and generation = $2 for no key update`,
}

const drainStatement: Statement = {
  text: `
delete from bifold_views._dead_letters l
 using json_to_recordset($3) as d(tenant text, key text, position bigint)
 where l.projection = $1 and l.generation = $2
   and l.tenant = d.tenant and l.key = d.key and l.position <= d.position`,
}

const freeStatement: Statement = {
  text: `
delete from bifold_views._parked p
 using json_to_recordset($3) as f(tenant text, key text)
 where p.projection = $1 and p.generation = $2 and p.tenant = f.tenant and p.key = f.key`,
}

const countStatement: Statement = {
  text: `
select count(*) as letters from bifold_views._dead_letters where projection = $1 and generation = $2`,
}

const parkStatement: Statement = {
  text: `
insert into bifold_views._parked
       (projection, generation, tenant, key, shard, position, refs_at, code, message, stack, attempts, since)
select $1, $2, tenant, key, $3, position, "refsAt", code, message, stack, attempts, since
  from json_to_recordset($4) as p(
       tenant text, key text, position bigint, "refsAt" bigint, code text, message text, stack text, attempts integer, since timestamptz)
on conflict (projection, generation, tenant, key)
   do update set position = excluded.position, refs_at = excluded.refs_at, code = excluded.code, message = excluded.message,
                 stack = excluded.stack, attempts = excluded.attempts, since = excluded.since`,
}

const addStatement: Statement = {
  text: `
insert into bifold_views._dead_letters (projection, generation, tenant, key, position)
select $1, $2, tenant, key, position from json_to_recordset($3) as l(tenant text, key text, position bigint)
on conflict (projection, generation, tenant, key, position) do nothing`,
}

const skipStatement: Statement = {
  text: `
insert into bifold_views._skips (projection, generation, tenant, key, position, reason, skipped_at)
select $1, $2, tenant, key, position, reason, at
  from json_to_recordset($3) as s(tenant text, key text, position bigint, reason text, at timestamptz)
on conflict (projection, generation, tenant, key, position) do nothing`,
}

const answerStatement: Statement = {
  text: `
delete from bifold_views._letter_requests r
 using json_to_recordset($3) as a(tenant text, key text)
 where r.projection = $1 and r.generation = $2 and r.tenant = a.tenant and r.key = a.key`,
}

/** Writes what a commit does with dead letters, in its transaction, in which no other shard parks. @throws `Full` where there is no room. */
export async function writeParking(
  sql: Sql,
  projection: string,
  generation: number,
  shard: number,
  { parked, letters, drained, skipped, answered, maxEvents }: Parking,
): Promise<void> {
  const own = [projection, generation] as const
  const write = async (statement: Statement, list: readonly unknown[], ...more: readonly unknown[]): Promise<void> => {
    if (list.length > 0) await sql.query(statement, [...own, ...more, JSON.stringify(list)])
  }
  await write(drainStatement, drained)
  const standing = new Set(parked.map(rowId))
  await write(
    freeStatement,
    drained.filter(letter => !standing.has(rowId(letter))),
  )
  if (letters.length > 0) {
    const [counted] = await sql.query<{ letters: number }>(countStatement, own)
    if ((counted?.letters ?? 0) + letters.length > maxEvents) throw new Full()
  }
  await write(parkStatement, parked, shard)
  await write(addStatement, letters)
  await write(skipStatement, skipped)
  await write(answerStatement, answered.map(keyOf))
}

/** There is no room for more dead letters: the transaction is to be rolled back. */
export class Full extends Error {}

function keyOf({ tenant, key }: RowKey): RowKey {
  return { tenant, key }
}

const inheritStatement: Statement = {
  text: `
insert into bifold_views._skips (projection, generation, tenant, key, position, reason, skipped_at)
select distinct on (tenant, key, position) projection, $2, tenant, key, position, reason, skipped_at
  from bifold_views._skips
 where projection = $1 and generation <> $2
 order by tenant, key, position, skipped_at, generation`,
}

const allSkipsStatement: Statement = {
  name: 'bifold_letters_all_skips',
  text: `
select distinct on (tenant, key, position) tenant, key, position, reason,
       to_char(skipped_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as at
  from bifold_views._skips
 where projection = $1 and ($2::text is null or (tenant, key) = ($2::text, $3::text))
 order by tenant, key, position, skipped_at, generation`,
}

/** What a generation would take over that is made now. */
export function readSkips(sql: Sql, projection: string, key: RowKey | undefined): Promise<readonly Skip[]> {
  return sql.query<Skip>(allSkipsStatement, [projection, key?.tenant ?? null, key?.key ?? null])
}

/** What was skipped in any generation, dropped ones included, is left out of one that was just made: the first reason counts. */
export async function inheritSkips(sql: Sql, projection: string, generation: number): Promise<void> {
  await sql.query(inheritStatement, [projection, generation])
}

/** What waits of a generation that is being dropped. Its skips stay: they say what its rows were made of. */
export async function dropLetters(sql: Sql, projection: string, generation: number): Promise<void> {
  await sql.query({ text: 'delete from bifold_views._parked where projection = $1 and generation = $2' }, [
    projection,
    generation,
  ])
}
