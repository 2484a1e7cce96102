import { describe, inject } from 'vitest'
import { createDatabase, type Database } from './databases.ts'

/**
 * A suite on a real PostgreSQL. Where none can be had it is skipped, with the reason in its name;
 * `BIFOLD_REQUIRE_POSTGRES=1` makes that a failure of the run.
 */
export function describePostgres(name: string, tests: () => void): void {
  const { shared } = inject('postgres')
  describeUnless('reason' in shared ? shared.reason : undefined, name, tests)
}

/** As `describePostgres`, for a suite that starts a server of its own with `startServer`. */
export function describeOwnServer(name: string, tests: () => void): void {
  describeUnless(inject('postgres').noOwnBecause, name, tests)
}

function describeUnless(reason: string | undefined, name: string, tests: () => void): void {
  if (reason === undefined) describe(name, tests)
  else describe.skip(`${name} [skipped: ${reason}]`, tests)
}

/** An empty database on the run's server. One per test file is the habit; drop it in `afterAll`. */
export async function freshDatabase(): Promise<Database> {
  const { shared } = inject('postgres')
  if ('reason' in shared) throw new Error(`There is no PostgreSQL: ${shared.reason}`)
  return await createDatabase(shared.url)
}
