import type { Sql, Statement } from './client.ts'

const tryLockStatement: Statement = {
  text: 'select pg_try_advisory_xact_lock(hashtext($1) & 2147483647, $2) as mine',
}
const endHoldersStatement: Statement = {
  text: `
select pg_terminate_backend(pid)
  from pg_locks
 where locktype = 'advisory' and objsubid = 2 and granted
   and database = (select oid from pg_database where datname = current_database())
   and classid = (hashtext($1) & 2147483647)::oid and objid = any ($2::bigint[]::oid[])`,
}
const waitLockStatement: Statement = {
  text: 'select pg_advisory_xact_lock(hashtext($1) & 2147483647, $2)',
}

/** Unique among the shards of a projection, of which a generation has 64 at most. */
const loadId = (generation: number, shard: number): number => generation * 64 + shard

/**
 * Ends the connections of those who are writing this shard's rows. A process that was stopped in the midst of a COPY would
 * hold the rows' keys for as long as it is stopped: the server waits for it, and no time-out of a statement ends that.
 * Who holds the lock of a load is looked up at the moment; who may ask for it has been checked against the fence.
 */
export async function endOthers(sql: Sql, name: string, generation: number, shard: number): Promise<void> {
  const id = loadId(generation, shard)
  const [lock] = await sql.query<{ mine: boolean }>(tryLockStatement, [name, id])
  if (lock?.mine === true) return
  await sql.query(endHoldersStatement, [name, [id]])
  await sql.query(waitLockStatement, [name, id])
}

/** As `endOthers`, for all shards of a generation, which is to be dropped. */
export async function endLoads(
  sql: Sql,
  name: string,
  { generation, shards }: { readonly generation: number; readonly shards: number },
): Promise<void> {
  const ids = Array.from({ length: shards }, (_, shard) => loadId(generation, shard))
  await sql.query(endHoldersStatement, [name, ids])
}
