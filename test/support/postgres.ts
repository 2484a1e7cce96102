import { describe, inject } from 'vitest'
import { createDatabase, type Database } from './databases.ts'

/**
 * A suite on a real PostgreSQL. Where none can be had it is skipped, with the reason in its name;
 * `BIFOLD_REQUIRE_POSTGRES=1` makes that a failure of the run.
 */
export function describePostgres(name: string, tests: () => void): void {
  const server = inject('postgres')
  if ('reason' in server) describe.skip(`${name} [skipped: ${server.reason}]`, tests)
  else describe(name, tests)
}

/** An empty database on the run's server. One per test file is the habit; drop it in `afterAll`. */
export async function freshDatabase(): Promise<Database> {
  const server = inject('postgres')
  if ('reason' in server) throw new Error(`There is no PostgreSQL: ${server.reason}`)
  return await createDatabase(server.url)
}
