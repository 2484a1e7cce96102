import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { z } from 'zod'
import type { Database as OwnDatabase } from '../../test/support/databases.ts'
import { describePostgres, freshDatabase } from '../../test/support/postgres.ts'
import { untilSomebodyWaits } from '../../test/support/waits.ts'
import { projection } from '../define/index.ts'
import { viewShapeOf } from '../project/index.ts'
import { at, keysOf, things, upsert } from '../project/things.contract.ts'
import { openPostgres, postgresViewStore } from './index.ts'

describePostgres('a view that is reset', () => {
  let fresh: OwnDatabase
  let database: Awaited<ReturnType<typeof openPostgres>>
  beforeAll(async () => {
    fresh = await freshDatabase()
    database = await openPostgres(fresh.url)
  })
  afterAll(async () => {
    await database.close()
    await fresh.drop()
  })

  test('waits for nobody who reads it in a snapshot, and takes nothing away from him', async () => {
    const store = postgresViewStore(database)
    const view = await store.open(viewShapeOf(things()))
    const { epoch, ...from } = await view.claim(0)
    await view.commit({ shard: 0, epoch, from, to: at(3), upserts: [upsert('a', {}, 3)], deletes: [] })
    const read = await view.snapshot(async ({ checkpoints, pages }) => {
      expect(await store.reset(view.projection, view.generation)).toBe('reset')
      expect((await view.get(keysOf(['a']))).value).toEqual([null])
      const keys: string[] = []
      for await (const page of pages) keys.push(...page.map(({ key }) => key))
      return { position: checkpoints[0]?.position, keys }
    })
    expect(read).toEqual({ position: 3, keys: ['a'] })
    await store.close()
  })

  test('is locked shard by shard in their order, as a swap locks it, however that is planned', async () => {
    const url = new URL(fresh.url)
    url.searchParams.set('options', '-c enable_indexscan=off -c enable_bitmapscan=off')
    const scanning = await openPostgres(url.href)
    const store = postgresViewStore(scanning)
    const view = await store.open(viewShapeOf(projection('ordered', { ...empty, shards: 2 })))
    const { epoch } = await view.claim(0)
    const isBehind = async (): Promise<boolean> => {
      const found = await scanning.sql.query<{ shard: number }>({
        text: "select shard from bifold_views._checkpoints where projection = 'ordered' order by ctid",
      })
      return found.at(-1)?.shard === 0
    }
    // Until the checkpoint of shard 0 is behind that of shard 1 in the table.
    for (let position = 0; !(await isBehind()); position++) {
      await view.commit({ shard: 0, epoch, from: at(position), to: at(position + 1), upserts: [], deletes: [] })
    }
    const swapping = new pg.Client({ connectionString: fresh.url })
    await swapping.connect()
    const lock = (shard: number) =>
      swapping.query(
        "select from bifold_views._checkpoints where projection = 'ordered' and shard = $1 for share nowait",
        [shard],
      )
    await swapping.query('begin')
    await lock(0)
    const resetting = store.reset('ordered', view.generation)
    await untilSomebodyWaits(swapping)
    await lock(1)
    await swapping.query('commit')
    await swapping.end()
    expect(await resetting).toBe('reset')
    await store.close()
    await scanning.close()
  })
})

const empty = { from: [], state: z.object({ at: z.int() }), on: {} }
