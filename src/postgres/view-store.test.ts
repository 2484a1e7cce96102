import { describePostgres, freshDatabase } from '../../test/support/postgres.ts'
import { storeContract } from '../project/store.contract.ts'
import { openPglite, openPostgres } from './index.ts'
import { postgresViewStore } from './view-store.ts'

describePostgres('on PostgreSQL', () => {
  storeContract('postgres', async () => {
    const fresh = await freshDatabase()
    const [mine, others] = await Promise.all([openPostgres(fresh.url), openPostgres(fresh.url)])
    const [store, other] = [postgresViewStore(mine), postgresViewStore(others)]
    return {
      store,
      other,
      close: async () => {
        await Promise.all([store.close(), other.close()])
        await Promise.all([mine.close(), others.close()])
        await fresh.drop()
      },
    }
  })
})

storeContract('pglite', async () => {
  const database = await openPglite()
  const store = postgresViewStore(database)
  return {
    store,
    other: store,
    close: async () => {
      await store.close()
      await database.close()
    },
  }
})
