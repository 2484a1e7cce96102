import { describePostgres, freshDatabase } from '../../test/support/postgres.ts'
import { projectorContract } from '../project/projector.contract.ts'
import { openPglite, openPostgres, postgresLogStorage, postgresViewStore } from './index.ts'

describePostgres('on PostgreSQL', () => {
  projectorContract(
    'postgres',
    async () => {
      const fresh = await freshDatabase()
      const [mine, others] = await Promise.all([openPostgres(fresh.url), openPostgres(fresh.url)])
      const [store, other] = [postgresViewStore(mine), postgresViewStore(others)]
      return {
        log: postgresLogStorage(mine),
        store,
        other,
        close: async () => {
          await Promise.all([store.close(), other.close()])
          await Promise.all([mine.close(), others.close()])
          await fresh.drop()
        },
      }
    },
    100_000,
  )
})

projectorContract(
  'pglite',
  async () => {
    const database = await openPglite()
    const store = postgresViewStore(database)
    return {
      log: postgresLogStorage(database),
      store,
      other: store,
      close: async () => {
        await store.close()
        await database.close()
      },
    }
  },
  40_000,
)
