import type { Database, Sql, Statement } from './client.ts'
import { againAfterDeadlock } from './deadlock.ts'
import { lockGenerations, tablesOf } from './view-generations.ts'
import { dropLetters } from './view-letters.ts'
import { inViews } from './view-names.ts'
import { lockReferred } from './view-referred.ts'

/**
 * What operators do to a projection as a whole. Each is one transaction under the lock of the generations, so that none is
 * made or dropped meanwhile. Epochs are raised before anything else: what was under way is over then, or is fenced.
 */

const pauseStatement: Statement = {
  text: 'insert into bifold_views._pauses (projection) values ($1) on conflict do nothing',
}

export async function pauseProjection(database: Database, projection: string): Promise<void> {
  const pause = async (sql: Sql): Promise<void> => {
    await lockGenerations(sql, projection)
    await sql.query(pauseStatement, [projection])
    await sql.query(
      {
        text: `select from bifold_views._checkpoints where projection = $1
                order by generation, shard for update`,
      },
      [projection],
    )
    await sql.query({ text: 'update bifold_views._checkpoints set epoch = epoch + 1 where projection = $1' }, [
      projection,
    ])
  }
  await againAfterDeadlock(() => database.transaction(pause))
}

export async function resumeProjection(database: Database, projection: string): Promise<void> {
  await database.sql.query({ text: 'delete from bifold_views._pauses where projection = $1' }, [projection])
}

const pausedStatement: Statement = {
  name: 'bifold_view_paused',
  text: 'select projection from bifold_views._pauses',
}

export async function readPaused(database: Database): Promise<ReadonlySet<string>> {
  const rows = await database.sql.query<{ projection: string }>(pausedStatement)
  return new Set(rows.map(({ projection }) => projection))
}

/** Of a generation and of those that refer to it, in the order in which a swap locks them, too. */
const lockCheckpointsStatement: Statement = {
  text: `
select from bifold_views._checkpoints c
 where (c.projection, c.generation) in (
   select $1, $2::integer
    union all
   select projection, generation from bifold_views._dependents where referred = $1 and referred_generation = $2)
 order by c.projection, c.generation, c.shard for update`,
}

/**
 * Empties a generation. Its rows are deleted and not truncated: whoever reads it in an older snapshot goes on seeing them,
 * and nobody who reads is waited for.
 */
export async function resetGeneration(
  database: Database,
  projection: string,
  generation: number,
): Promise<'reset' | 'unknown'> {
  const reset = async (sql: Sql): Promise<'reset' | 'unknown'> => {
    await lockGenerations(sql, projection)
    await lockReferred(sql, projection, generation)
    await sql.query(lockCheckpointsStatement, [projection, generation])
    const found = await sql.query(
      {
        text: `update bifold_views._checkpoints set epoch = epoch + 1, position = 0, fingerprint = '', cursor = null, cursor_at = null
                where projection = $1 and generation = $2 returning shard`,
      },
      [projection, generation],
    )
    if (found.length === 0) return 'unknown'
    await sql.query(
      {
        text: `update bifold_views._checkpoints set epoch = epoch + 1
                where (projection, generation) in (
                  select projection, generation from bifold_views._dependents
                   where referred = $1 and referred_generation = $2)`,
      },
      [projection, generation],
    )
    await emptyGeneration(sql, projection, generation)
    return 'reset'
  }
  return againAfterDeadlock(() => database.transaction(reset))
}

/** What belongs to a generation, and is made by folding: its tables, and what is parked. Skips are an input, and stay. */
async function emptyGeneration(sql: Sql, projection: string, generation: number): Promise<void> {
  for (const table of await tablesOf(sql, projection, generation)) {
    await sql.query({ text: `delete from ${inViews(table)}` })
  }
  await dropLetters(sql, projection, generation)
}
