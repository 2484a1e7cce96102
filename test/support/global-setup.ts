import type { TestProject } from 'vitest/node'
import { obtainServer } from './server.ts'

/** The server of this run, or why there is none. */
export type Provided = { readonly url: string } | { readonly reason: string }

declare module 'vitest' {
  interface ProvidedContext {
    postgres: Provided
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const server = await obtainServer()
  if ('reason' in server) {
    if (process.env['BIFOLD_REQUIRE_POSTGRES']) throw new Error(`These tests need PostgreSQL: ${server.reason}`)
    project.provide('postgres', { reason: server.reason })
    return async () => console.warn(`\nTests on PostgreSQL were skipped: ${server.reason}`)
  }
  project.provide('postgres', { url: server.url })
  return server.stop
}
