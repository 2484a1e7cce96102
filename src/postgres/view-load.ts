import type { BulkLoad, Upsert, View, ViewShape } from '../project/index.ts'
import { type Database, type Sql, type Statement, sqlStateOf, type TransactionSql } from './client.ts'
import { moveStatement, moveValues } from './view-commit.ts'
import { type CopyVerb, copyVerb } from './view-copy.ts'
import { dropIndexes, type FoundGeneration, lockGenerations, makeIndexes } from './view-generations.ts'
import { Full, lockParking, writeParking } from './view-letters.ts'
import { endOthers } from './view-load-lock.ts'
import { inViews, tableNameOf } from './view-names.ts'
import { besidesOf, lockPast, type ViewName } from './view-referred.ts'
import { addSums } from './view-rollups.ts'

type LoadVerbs = Pick<View, 'loading' | 'bulkLoad'> & {
  /** Answers whether this call has made the indexes that were put off. */
  loaded(shard: number): Promise<boolean>
}

interface Loaded extends ViewName {
  readonly keepsPast: boolean
}

/** A load that was superseded while it was written: its transaction is rolled back. */
class Fenced extends Error {}

export function loadVerbs(database: Database, shape: ViewShape, found: FoundGeneration): LoadVerbs {
  const { name } = shape.projection
  const { generation } = found
  const table = tableNameOf(name, generation)
  const view: Loaded = { projection: name, generation, table, keepsPast: found.keepsPast }
  const copy = copyVerb(table, shape)
  return {
    loading: async (shard, epoch, { position, goal, perSecond }) => {
      const values = [name, generation, shard, position, goal, Math.round(perSecond), epoch]
      const known = await database.sql.query(progressStatement, values)
      if (known.length > 0) return
      await database.transaction(async sql => {
        await lockGenerations(sql, name)
        const begins = await sql.query(beginsStatement, [name, generation, shard, epoch])
        if (begins.length === 0) return
        const [{ isNew } = { isNew: false }] = await sql.query<{ isNew: boolean }>(isNewStatement, [name, generation])
        if (isNew) await dropIndexes(sql, shape, found)
        await sql.query(beginStatement, [name, generation])
        await sql.query(progressStatement, values)
      })
    },
    bulkLoad: async load => {
      try {
        const { rest, ...whole } = load
        // The one connection of an embedded database is everybody's.
        const mayRest = rest !== undefined && database.kind === 'postgres'
        return await database.transaction(sql => write(sql, view, copy, mayRest ? load : whole))
      } catch (error) {
        if (error instanceof Fenced) return 'fenced'
        if (error instanceof Full) return 'full'
        // The rows are there already: whoever took the shard over was faster.
        const uniqueViolation = '23505'
        const isLate = sqlStateOf(error) === uniqueViolation && !(await stands(database.sql, name, generation, load))
        if (isLate) return 'fenced'
        throw error
      }
    },
    loaded: async shard => {
      const known = await database.sql.query(doneStatement, [name, generation, shard])
      if (known.length === 0) return false
      // A statement of its own, after the first is committed: of two that end at once, each would miss the other's.
      const [left] = await database.sql.query<{ others: number }>(othersStatement, [name, generation])
      if (left === undefined || left.others > 0) return false
      return database.transaction(async sql => {
        await lockGenerations(sql, name)
        const finished = await sql.query(finishStatement, [name, generation])
        if (finished.length === 0) return false
        await makeIndexes(sql, shape, found)
        await sql.script(`analyze ${inViews(table)}`)
        return true
      })
    },
  }
}

/**
 * The rows first and the checkpoint last, all in one transaction: with the checkpoint first, nobody could take the shard over
 * for as long as the rows are on their way. What was superseded meanwhile is rolled back.
 */
async function write(
  sql: TransactionSql,
  view: Loaded,
  copy: CopyVerb,
  load: BulkLoad,
): Promise<'committed' | 'needs-past'> {
  const { projection: name, generation, keepsPast } = view
  const { shard, to, parking, rollups } = load
  if (!(await endOtherLoads(sql, view, load))) throw new Fenced()
  // Who refers to this view waits at its beginning for each shard that is at its own: as this one is, until this is over.
  if (keepsPast && (await sql.query(movedStatement, [name, generation])).length > 0) return 'needs-past'
  await copyRows(sql, copy, load)
  if (keepsPast) await sql.query(lockPast, [name, generation])
  if (parking !== undefined) await lockParking(sql, name, generation, parking)
  const moved = await sql.query(moveStatement, moveValues(name, generation, load))
  if (moved.length === 0) throw new Fenced()
  if (parking !== undefined) await writeParking(sql, name, generation, shard, parking)
  const besides = [...besidesOf(view, load), ...addSums(view, shard, rollups?.())]
  for (const { statement, values } of besides) await sql.query(statement, values)
  if (keepsPast) await sql.query(pastFromStatement, [name, generation, to.position])
  return 'committed'
}

/** Those that refer to a generation, and have folded something. */
const movedStatement: Statement = {
  text: `
select 1 as moved
  from bifold_views._dependents d
  join bifold_views._checkpoints c on c.projection = d.projection and c.generation = d.generation
 where d.referred = $1 and d.referred_generation = $2 and c.position > 0
 limit 1`,
}

/** Of what the rows were before the end of the load, nothing is kept. */
const pastFromStatement: Statement = {
  text: `
update bifold_views._generations set past_from = greatest(past_from, $3)
 where projection = $1 and generation = $2`,
}

/**
 * At a stretch, or a statement for each page: only the end of one tells that the server has done with it, and rests with the
 * load. It rests within the next one, since a transaction that waits outside of any is ended.
 */
async function copyRows(sql: TransactionSql, copy: CopyVerb, { shard, pages, rest }: BulkLoad): Promise<void> {
  async function* linesOf(some: AsyncIterable<readonly Upsert[]>): AsyncGenerator<string> {
    for await (const rows of some) yield copy.linesOf(shard, rows)
  }
  if (rest === undefined) return sql.copyIn(copy.text, linesOf(pages))
  const all = pages[Symbol.asyncIterator]()
  let isOver = false
  async function* nextPage(): AsyncGenerator<readonly Upsert[]> {
    await rest?.()
    const { value, done } = await all.next()
    if (done === true) isOver = true
    else yield value
  }
  while (!isOver) await sql.copyIn(copy.text, linesOf(nextPage()))
}

type Held = Pick<BulkLoad, 'shard' | 'epoch' | 'from'>

const standsStatement: Statement = {
  name: 'bifold_view_stands',
  text: `
select 1 as stands from bifold_views._checkpoints
 where projection = $1 and generation = $2 and shard = $3 and lap = $5::bigint >> 6
   and epoch = $4 and position = $5 and fingerprint = $6`,
}

async function stands(sql: Sql, name: string, generation: number, { shard, epoch, from }: Held): Promise<boolean> {
  const rows = await sql.query(standsStatement, [name, generation, shard, epoch, from.position, from.fingerprint])
  return rows.length > 0
}

/** Ends bulk loads of a shard that others have begun. Answers whether the shard still is where it is expected. */
export async function endOtherLoads(
  sql: Sql,
  { projection, generation }: Pick<ViewName, 'projection' | 'generation'>,
  expected: Held,
): Promise<boolean> {
  if (!(await stands(sql, projection, generation, expected))) return false
  await endOthers(sql, projection, generation, expected.shard)
  return true
}

const progressStatement: Statement = {
  name: 'bifold_view_load_progress',
  text: `
update bifold_views._loads set position = $4, goal = $5, per_second = $6, done = false
 where projection = $1 and generation = $2 and shard = $3
   and exists (select from bifold_views._checkpoints c
                where c.projection = $1 and c.generation = $2 and c.shard = $3
                  and c.lap = 0 and c.position = 0 and c.epoch = $7)
returning 1 as known`,
}

/** Locked, so that nobody takes the shard over, and loads it, before this is written. */
const beginsStatement: Statement = {
  text: `
select 1 as begins from bifold_views._checkpoints
 where projection = $1 and generation = $2 and shard = $3 and lap = 0 and position = 0 and epoch = $4
   for share`,
}

const isNewStatement: Statement = {
  text: `
select max(position) = 0 as "isNew" from bifold_views._checkpoints where projection = $1 and generation = $2`,
}

/** A shard that is past its beginning is not loaded in bulk any more, and may never say that it is loaded. */
const beginStatement: Statement = {
  text: `
insert into bifold_views._loads (projection, generation, shard, done)
select projection, generation, shard, position > 0 from bifold_views._checkpoints where projection = $1 and generation = $2
on conflict do nothing`,
}

const doneStatement: Statement = {
  name: 'bifold_view_load_done',
  text: `
update bifold_views._loads set done = true
 where projection = $1 and generation = $2 and shard = $3
returning 1 as known`,
}

const othersStatement: Statement = {
  name: 'bifold_view_loads_left',
  text: `
select count(*) as others from bifold_views._loads where projection = $1 and generation = $2 and not done`,
}

const finishStatement: Statement = {
  text: `
delete from bifold_views._loads
 where projection = $1 and generation = $2
   and not exists (select from bifold_views._loads o where o.projection = $1 and o.generation = $2 and not o.done)
returning 1 as finished`,
}
