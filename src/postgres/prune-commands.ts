import type { Runtime } from '../log/index.ts'
import type { Database } from './client.ts'

const chunkCommands = 5000
const pruneEveryMs = 3_600_000
const dayMs = 86_400_000

const pruneStatement = {
  name: 'bifold_prune_commands',
  text: `with gone as (
      delete from bifold.commands
       where ctid = any (array(
         select ctid from bifold.commands where recorded_at < clock_timestamp() - $1 * interval '1 millisecond' limit $2))
      returning 1)
    select count(*) as count from gone`,
}

/**
 * Forgets what was carried out under command ids more than `olderThanMs` ago by the database's clock, in small
 * transactions. From then on the same id is a new command. Answers how many were forgotten.
 */
export async function pruneCommands(database: Database, olderThanMs: number): Promise<number> {
  let pruned = 0
  for (;;) {
    const [row] = await database.sql.query<{ readonly count: number }>(pruneStatement, [olderThanMs, chunkCommands])
    const count = row?.count ?? 0
    pruned += count
    if (count < chunkCommands) return pruned
  }
}

/**
 * Prunes an hour from now, and then every hour. One that fails is made up for by the next. Several processes may: they
 * delete what the others have left. Answers with what ends it, once what is under way is over.
 */
export function keepPruned(database: Database, keepDays: number, runtime: Runtime): () => Promise<void> {
  if (keepDays === Number.POSITIVE_INFINITY) return async () => undefined
  let ended = false
  let underWay: Promise<unknown> = Promise.resolve()
  let cancel = (): void => undefined
  const schedule = (): void => {
    cancel = runtime.after(pruneEveryMs, () => {
      underWay = pruneCommands(database, keepDays * dayMs)
        .catch(() => undefined)
        .then(() => ended || schedule())
    })
  }
  schedule()
  return async () => {
    ended = true
    cancel()
    await underWay
  }
}
