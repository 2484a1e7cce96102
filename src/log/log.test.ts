import { describePostgres, freshDatabase } from '../../test/support/postgres.ts'
import { type Database, openPglite, openPostgres, postgresLogStorage } from '../postgres/index.ts'
import { type LogPlace, logContract } from './log.contract.ts'
import { memoryLogStorage } from './memory.ts'
import type { LogStorage } from './storage.ts'

logContract('in memory', async () => {
  let storage: LogStorage
  return {
    storage: () => storage,
    reset: async () => {
      storage = memoryLogStorage()
    },
    close: async () => undefined,
  }
})

logContract('on PGlite', async () => placeIn(await openPglite(), async () => undefined))

describePostgres('a server', () => {
  logContract('on PostgreSQL', async () => {
    const { url, drop } = await freshDatabase()
    return placeIn(await openPostgres(url), drop)
  })
})

async function placeIn(database: Database, drop: () => Promise<void>): Promise<LogPlace> {
  const first = postgresLogStorage(database)
  await first.open()
  await first.close()
  return {
    storage: () => postgresLogStorage(database),
    reset: () => database.sql.script('truncate bifold.events, bifold.commands, bifold.snapshots'),
    close: async () => {
      await database.close()
      await drop()
    },
  }
}
