import pg from 'pg'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { describePostgres, freshDatabase } from '../../test/support/postgres.ts'
import { projection } from '../define/index.ts'
import { viewShapeOf } from '../project/index.ts'
import { migrate, openPostgres, postgresViewStore } from './index.ts'

describePostgres('making a view', () => {
  test('waits for no append, and holds none up', async () => {
    const fresh = await freshDatabase()
    const database = await openPostgres(fresh.url)
    const appending = new pg.Client({ connectionString: fresh.url })
    try {
      await migrate(database)
      await appending.connect()
      await appending.query('begin')
      await appending.query('select bifold.lock_log()')
      const definition = projection('notes', {
        from: [],
        state: z.object({ at: z.int() }),
        on: {},
        indexes: [['at']],
      })
      const view = await postgresViewStore(database).open(viewShapeOf(definition))
      expect(view.generation).toBe(1)
      await appending.query('rollback')
    } finally {
      await appending.end()
      await database.close()
      await fresh.drop()
    }
  }, 15_000)
})
