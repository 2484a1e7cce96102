import { describePostgres, freshDatabase } from '../../test/support/postgres.ts'
import { projectorContract } from '../project/projector.contract.ts'
import { projectorChangesContract } from '../project/projector-changes.contract.ts'
import { projectorGenerationsContract } from '../project/projector-generations.contract.ts'
import { projectorLateContract } from '../project/projector-late.contract.ts'
import { projectorLettersContract } from '../project/projector-letters.contract.ts'
import { projectorOperationsContract } from '../project/projector-operations.contract.ts'
import { projectorRebuildContract } from '../project/projector-rebuild.contract.ts'
import { projectorRefLoadsContract } from '../project/projector-ref-loads.contract.ts'
import { projectorReferredContract } from '../project/projector-referred.contract.ts'
import { projectorRefsContract } from '../project/projector-refs.contract.ts'
import { projectorShardsContract } from '../project/projector-shards.contract.ts'
import type { ProjectorUnderTest } from '../project/projector-under-test.contract.ts'
import { projectorWaitsContract } from '../project/projector-waits.contract.ts'
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
  projectorOperationsContract('postgres', onPostgres)
  projectorGenerationsContract('postgres', onPostgres)
  projectorRebuildContract('postgres', onPostgres)
  projectorShardsContract('postgres', onPostgres)
  projectorWaitsContract('postgres', onPostgres)
  projectorLettersContract('postgres', onPostgres)
  projectorRefsContract('postgres', onPostgres, { seeds: 4, dependents: 3000 })
  projectorLateContract('postgres', onPostgres, { seeds: 4 })
  projectorRefLoadsContract('postgres', onPostgres)
  projectorChangesContract('postgres', onPostgres, { seeds: 4 })
  projectorReferredContract('postgres', onPostgres)
})

projectorContract('pglite', onPglite, 40_000)
projectorOperationsContract('pglite', onPglite)
projectorGenerationsContract('pglite', onPglite)
projectorRebuildContract('pglite', onPglite)
projectorShardsContract('pglite', onPglite)
projectorWaitsContract('pglite', onPglite)
projectorLettersContract('pglite', onPglite)
projectorRefsContract('pglite', onPglite, { seeds: 2, dependents: 1000 })
projectorLateContract('pglite', onPglite, { seeds: 2 })
projectorRefLoadsContract('pglite', onPglite)
projectorChangesContract('pglite', onPglite, { seeds: 2 })
projectorReferredContract('pglite', onPglite)
