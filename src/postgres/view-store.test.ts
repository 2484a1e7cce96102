import pg from 'pg'
import { expect, test } from 'vitest'
import { describePostgres, freshDatabase } from '../../test/support/postgres.ts'
import { origin } from '../log/index.ts'
import { rowsApart, viewShapeOf } from '../project/index.ts'
import { storeContract } from '../project/store.contract.ts'
import { at, things, upsert } from '../project/things.contract.ts'
import { memoryRowStore } from '../stores/memory/index.ts'
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

  test('a commit that took longer than the database allows is busy, and no lost connection', async () => {
    const fresh = await freshDatabase()
    const database = await openPostgres(`${fresh.url}?options=-c%20statement_timeout%3D2000`)
    const store = postgresViewStore(database)
    const view = await store.open(viewShapeOf(things()))
    const { epoch } = await view.claim(0)
    const holder = new pg.Client({ connectionString: fresh.url })
    await holder.connect()
    await holder.query('begin')
    await holder.query('select from bifold_views._checkpoints for update')
    const commit = view.commit({
      shard: 0,
      epoch,
      from: { ...origin, position: 0 },
      to: at(1),
      upserts: [upsert('k')],
      deletes: [],
    })
    await expect(commit).rejects.toMatchObject({ code: 'project/store-busy', data: { problem: 'SQLSTATE 57014' } })
    await holder.query('rollback')
    await holder.end()
    await store.close()
    await database.close()
    await fresh.drop()
  })
})

for (const isApart of [false, true]) {
  storeContract(
    isApart ? 'pglite, with rows apart in memory' : 'pglite',
    async () => {
      const database = await openPglite()
      const views = postgresViewStore(database)
      const store = isApart ? rowsApart(views, memoryRowStore()) : views
      return {
        store,
        other: store,
        close: async () => {
          await store.close()
          await database.close()
        },
      }
    },
    isApart,
  )
}
