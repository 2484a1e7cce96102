import type { Backend } from '../project/index.ts'
import type { Database } from './client.ts'
import { postgresLogStorage } from './log-storage.ts'
import { openPostgres, type PostgresOptions } from './pg-client.ts'
import { openPglite, type PgliteOptions } from './pglite-client.ts'
import { postgresViewStore } from './view-store.ts'

/**
 * Log and views in one PostgreSQL.
 *
 * @param options.url `postgres://user@host/database`.
 * @throws `setup/missing-peer` where `pg` is not installed.
 */
export async function postgres(options: PostgresOptions & { readonly url: string }): Promise<Backend> {
  return backendOn(await openPostgres(options.url, options))
}

/**
 * Log and views in an embedded PostgreSQL, in this process. It survives the process being killed, not the machine losing
 * power: PGlite does not wait for the disk.
 *
 * @param options.directory where it is kept; made where it is missing, and locked while it is open. Default: in memory,
 *   gone when it is closed.
 * @throws `setup/missing-peer` where `@electric-sql/pglite` is not installed · `embedded/directory-locked` where another
 * process has it open.
 */
export async function embedded(options: PgliteOptions & { readonly directory?: string } = {}): Promise<Backend> {
  const { directory, ...rest } = options
  return backendOn(await openPglite(directory, rest))
}

function backendOn(database: Database): Backend {
  return { log: postgresLogStorage(database), views: postgresViewStore(database), close: database.close }
}
