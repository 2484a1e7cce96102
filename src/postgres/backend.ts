import { BifoldError } from '../define/index.ts'
import { type Runtime, systemRuntime } from '../log/index.ts'
import type { Backend } from '../project/index.ts'
import type { Database } from './client.ts'
import { hearsItself } from './hears-itself.ts'
import { postgresLogStorage } from './log-storage.ts'
import { openPostgres, type PostgresOptions } from './pg-client.ts'
import { openPglite, type PgliteOptions } from './pglite-client.ts'
import { keepPruned } from './prune-commands.ts'
import { postgresViewStore } from './view-store.ts'

export interface BackendOptions {
  /**
   * For how many days it is known under which ids commands were carried out; after that, the same id is a new command.
   * Default 30. `Infinity` keeps them for ever.
   */
  readonly keepCommandsDays?: number
  readonly runtime?: Runtime
}

/**
 * Log and views in one PostgreSQL.
 *
 * @param options.url `postgres://user@host/database`.
 * @throws `setup/missing-peer` where `pg` is not installed.
 */
export async function postgres(options: PostgresOptions & BackendOptions & { readonly url: string }): Promise<Backend> {
  const finish = finisher(options)
  return finish(await openPostgres(options.url, options))
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
export async function embedded(
  options: PgliteOptions & BackendOptions & { readonly directory?: string } = {},
): Promise<Backend> {
  const { directory, ...rest } = options
  const finish = finisher(rest)
  return finish(await openPglite(directory, rest))
}

/** Looks at the options before anything is opened. */
function finisher({ keepCommandsDays = 30, runtime = systemRuntime }: BackendOptions): (database: Database) => Backend {
  if (!(keepCommandsDays > 0)) {
    throw new BifoldError('setup/invalid-option', {
      option: 'keepCommandsDays',
      rule: 'it is a number of days greater than 0, or Infinity',
    })
  }
  return database => {
    const endPruning = keepPruned(database, keepCommandsDays, runtime)
    return {
      log: postgresLogStorage(database),
      views: postgresViewStore(database, { runtime }),
      oneDatabase: true,
      ...(database.kind === 'postgres' && { hears: () => hearsItself(database, runtime) }),
      close: async () => {
        await endPruning()
        await database.close()
      },
    }
  }
}
