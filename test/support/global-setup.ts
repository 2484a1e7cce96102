import type { TestProject } from 'vitest/node'
import { noServerBecause, obtainServer } from './server.ts'

/** What a run has, or why it has it not. */
export interface Provided {
  /** The server of this run. */
  readonly shared: { readonly url: string } | { readonly reason: string }
  /** Why a test cannot start a server of its own, to stop and restore it. */
  readonly noOwnBecause: string | undefined
}

declare module 'vitest' {
  interface ProvidedContext {
    postgres: Provided
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  // Only the machine's power could tell that nothing is forced to its disk, and its disk is what is slow where many share
  // it. Servers that are crashed are others, and have PostgreSQL's default durability.
  const server = await obtainServer({ fsync: 'off', full_page_writes: 'off' })
  const noOwnBecause = process.env['DATABASE_URL'] || 'reason' in server ? await noServerBecause() : undefined
  const reason = 'reason' in server ? server.reason : noOwnBecause
  if (reason !== undefined && process.env['BIFOLD_REQUIRE_POSTGRES']) {
    throw new Error(`These tests need PostgreSQL: ${reason}`)
  }
  project.provide('postgres', { shared: 'reason' in server ? server : { url: server.url }, noOwnBecause })
  return async () => {
    if (reason !== undefined) console.warn(`\nTests on PostgreSQL were skipped: ${reason}`)
    if (!('reason' in server)) await server.stop()
  }
}
