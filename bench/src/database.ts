import type { EventLog } from 'bifold/log'
import { createLog } from 'bifold/log'
import { openPostgres, postgresLogStorage } from 'bifold/postgres'
import pg from 'pg'
import { createDatabase } from '../../test/support/databases.ts'
import { accountsApp } from './ledger.ts'

/** An empty database of a benchmark's own, on which the log's tables are made. */
export interface BenchDatabase {
  readonly url: string
  /** A plain connection, for what is measured beside Bifold. */
  readonly client: pg.Client
  drop(): Promise<void>
}

export async function makeDatabase(serverUrl: string): Promise<BenchDatabase> {
  const { url, drop } = await createDatabase(serverUrl)
  const opened = await openLog(url)
  await opened.close()
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  return {
    url,
    client,
    drop: async () => {
      await client.end()
      await drop()
    },
  }
}

export async function openLog(url: string): Promise<{ readonly log: EventLog; close(): Promise<void> }> {
  const database = await openPostgres(url)
  const log = await createLog(postgresLogStorage(database), { eventTypes: accountsApp().app.eventTypes })
  return {
    log,
    close: async () => {
      await log.close()
      await database.close()
    },
  }
}
