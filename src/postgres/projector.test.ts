import { describePostgres, freshDatabase } from '../../test/support/postgres.ts'
import { type ProjectorUnderTest, projectorContract } from '../project/projector.contract.ts'
import { projectorShardsContract } from '../project/projector-shards.contract.ts'
import { openPglite, openPostgres, postgresLogStorage, postgresViewStore } from './index.ts'

async function onPostgres(): Promise<ProjectorUnderTest> {
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
}

async function onPglite(): Promise<ProjectorUnderTest> {
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
}

describePostgres('on PostgreSQL', () => {
  projectorContract('postgres', onPostgres, 100_000)
  projectorShardsContract('postgres', onPostgres)
})

projectorContract('pglite', onPglite, 40_000)
projectorShardsContract('pglite', onPglite)
