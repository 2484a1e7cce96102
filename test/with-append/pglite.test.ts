import { afterAll, beforeAll } from 'vitest'
import { type Database, openPglite, postgresLogStorage, postgresViewStore } from '../../src/postgres/index.ts'
import { withAppendContract } from './contract.ts'

let database: Database
beforeAll(async () => {
  database = await openPglite()
})
afterAll(() => database.close())

withAppendContract('pglite', async () => ({
  backend: async () => ({
    log: postgresLogStorage(database),
    views: postgresViewStore(database),
    oneDatabase: true,
    close: async () => undefined,
  }),
  close: () => database.sql.script('drop schema if exists bifold, bifold_views cascade'),
}))
