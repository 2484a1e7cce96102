import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Database as TestDatabase } from '../../test/support/databases.ts'
import { describePostgres, freshDatabase } from '../../test/support/postgres.ts'
import { origin } from '../log/index.ts'
import { type Upsert, type ViewStore, viewShapeOf } from '../project/index.ts'
import { at, keysOf, newName, things, upsert } from '../project/things.contract.ts'
import { type Database, openPglite, openPostgres, postgresViewStore } from './index.ts'
import { migrate } from './migrate.ts'
import { inViews, tableNameOf } from './view-names.ts'

/** Loads a view of two pages, and answers with what is found each time that it might rest, and how many rows there are then. */
async function restsOf(
  database: Database,
  look: (table: string) => Promise<number> = async () => 1,
): Promise<readonly [readonly number[], number]> {
  const store = postgresViewStore(database)
  const shape = viewShapeOf(things())
  const view = await store.open(shape)
  const { epoch } = await view.claim(0)
  async function* pages(): AsyncGenerator<readonly Upsert[]> {
    yield [upsert('a')]
    yield [upsert('b')]
  }
  const rests: number[] = []
  const rest = async (): Promise<void> => {
    rests.push(await look(inViews(tableNameOf(shape.projection.name, 1))))
  }
  await view.bulkLoad({ shard: 0, epoch, from: origin, to: at(5), pages: pages(), rest })
  const { value } = await view.get(keysOf(['a', 'b']))
  await store.close()
  return [rests, value.filter(doc => doc !== null).length]
}

test('a bulk load on PGlite does not rest while it writes: everybody would wait for its connection', async () => {
  const database = await openPglite()
  await migrate(database)
  expect(await restsOf(database)).toEqual([[], 2])
  await database.close()
})

describePostgres('a bulk load on PostgreSQL', () => {
  let fresh: TestDatabase
  let databases: Database[]
  let stores: ViewStore[]
  beforeAll(async () => {
    fresh = await freshDatabase()
    databases = [await openPostgres(fresh.url), await openPostgres(fresh.url)]
    stores = databases.map(database => postgresViewStore(database))
  })
  afterAll(async () => {
    await Promise.all(stores.map(store => store.close()))
    await Promise.all(databases.map(database => database.close()))
    await fresh.drop()
  })
  const open = async (shape: ReturnType<typeof viewShapeOf>) => Promise.all(stores.map(store => store.open(shape)))

  /** Writes some rows, and then no more: as a process that was stopped in the midst of it. */
  function halted(rows = [upsert('k', { size: 1 })]) {
    let release = (): void => undefined
    const released = new Promise<void>(resolve => {
      release = resolve
    })
    let begun = (): void => undefined
    const began = new Promise<void>(resolve => {
      begun = resolve
    })
    async function* pages(): AsyncGenerator<readonly Upsert[]> {
      yield rows
      // It is asked for more, so that the first is on its way.
      begun()
      await released
    }
    return { pages: pages(), began, release }
  }
  const indexesOf = async (table: string): Promise<number> =>
    ((await databases[0]?.sql.query({ text: 'select 1 from pg_indexes where tablename = $1' }, [table])) ?? []).length

  test('one after a reset, while somebody reads for long what there was, leaves the indexes and holds up nobody', async () => {
    const name = newName()
    const [mine] = await open(viewShapeOf(things(name)))
    const { epoch } = await mine!.claim(0)
    await mine!.commit({ shard: 0, epoch, from: origin, to: at(5), upserts: [upsert('k')], deletes: [] })
    expect(await stores[0]!.reset(name, mine!.generation)).toBe('reset')
    const table = `${name.replaceAll('-', '_')}__g1`
    const before = await indexesOf(table)
    expect(before).toBeGreaterThan(1)
    const reading = await databases[1]!.transaction(async report => {
      await report.query({ text: `select count(*) from bifold_views.${table}` })
      const next = await mine!.claim(0)
      await mine!.loading(0, next.epoch, { position: 0, goal: 9, perSecond: 0 })
      return (await mine!.get(keysOf(['k']))).value
    })
    expect(reading).toEqual([null])
    expect(await indexesOf(table)).toBe(before)
  })

  test('rests when the server has written a page, for as long as it likes', async () => {
    const silentMs = 200
    const database = await openPostgres(fresh.url, { idleTransactionMs: silentMs })
    const pagesOf = async (table: string): Promise<number> => {
      await new Promise(resolve => setTimeout(resolve, silentMs * 1.5))
      const [found] = await databases[1]!.sql.query<{ pages: number }>({
        text: `select pg_relation_size('${table}')::int / 8192 as pages`,
      })
      return found?.pages ?? Number.NaN
    }
    expect(await restsOf(database, pagesOf)).toEqual([[0, 1, 1], 2])
    await database.close()
  })

  test('one that was stopped in the midst of it holds up nobody, and writes nothing when it goes on', async () => {
    const [mine, others] = await open(viewShapeOf(things()))
    const { pages, began, release } = halted()
    const { epoch } = await mine!.claim(0)
    const zombie = mine!.bulkLoad({ shard: 0, epoch, from: origin, to: at(5), pages }).catch((error: unknown) => error)
    await began
    // The server has the row.
    while (
      (await databases[1]!.sql.query({ text: "select 1 from pg_locks where locktype = 'advisory'" })).length === 0
    );
    const next = await others!.claim(0)
    async function* rows(): AsyncGenerator<readonly Upsert[]> {
      yield [upsert('k', { size: 2 })]
    }
    const load = { shard: 0, epoch: next.epoch, from: origin, to: at(5), pages: rows() }
    expect(await others!.bulkLoad(load)).toBe('committed')
    release()
    expect(await zombie).toMatchObject({ code: 'project/store-unreachable' })
    const { value } = await mine!.get([{ tenant: 'default', key: 'k' }])
    expect(value.map(doc => JSON.parse(doc ?? 'null').size)).toEqual([2])
  })

  test('one that was stopped in the midst of it holds up nobody who goes on by loading and writing rows', async () => {
    const [mine, others] = await open(viewShapeOf(things()))
    // More than the server gathers before it writes them.
    const { pages, began, release } = halted(Array.from({ length: 3000 }, (_, n) => upsert(n === 0 ? 'k' : `k${n}`)))
    const { epoch } = await mine!.claim(0)
    const zombie = mine!.bulkLoad({ shard: 0, epoch, from: origin, to: at(5), pages }).catch((error: unknown) => error)
    await began
    const writing = {
      text: `select 1 from pg_locks loading join pg_locks written using (pid)
              where loading.locktype = 'advisory' and written.locktype = 'transactionid'`,
    }
    while ((await databases[1]!.sql.query(writing)).length === 0);
    const next = await others!.claim(0)
    const commit = { shard: 0, epoch: next.epoch, upserts: [upsert('k', { size: 2 })], deletes: [] }
    // It may begin with events that concern no row.
    expect(await others!.commit({ ...commit, from: origin, to: at(1), upserts: [] })).toBe('committed')
    expect(await others!.commit({ ...commit, from: at(1), to: at(5) })).toBe('committed')
    release()
    expect(await zombie).toMatchObject({ code: 'project/store-unreachable' })
    const { value } = await mine!.get([{ tenant: 'default', key: 'k' }])
    expect(value.map(doc => JSON.parse(doc ?? 'null').size)).toEqual([2])
  })

  test('one that was stopped in the midst of it holds up nobody who drops the generation', async () => {
    const name = newName()
    await open(viewShapeOf(things(name)))
    const rebuilt = await stores[0]!.rebuild(viewShapeOf(things(name)))
    const { pages, began, release } = halted()
    const { epoch } = await rebuilt.claim(0)
    const zombie = rebuilt
      .bulkLoad({ shard: 0, epoch, from: origin, to: at(5), pages })
      .catch((error: unknown) => error)
    await began
    expect(await stores[1]!.drop(name, 2)).toBe('dropped')
    release()
    expect(await zombie).toMatchObject({ code: expect.stringMatching(/^project\//) })
  })

  test('declared indexes are made after all rows, also where whoever loaded the last ones was killed before', async () => {
    const name = newName()
    const shape = viewShapeOf(things(name, 1, 2))
    const [view, other] = await open(shape)
    const table = `${name.replaceAll('-', '_')}__g1`
    const all = await indexesOf(table)
    await view!.loading(0, 0, { position: 0, goal: 5, perSecond: 0 })
    expect([all, await indexesOf(table)]).toEqual([8, 1])
    await open(shape)
    expect(await indexesOf(table)).toBe(1)
    await view!.loaded(0)
    // Killed between the last word of one and the making of indexes.
    await databases[0]!.sql.query({ text: 'update bifold_views._loads set done = true where projection = $1' }, [name])
    await other!.loaded(1)
    expect(await indexesOf(table)).toBe(8)
  })

  test('of shards that are loaded at the same moment, one makes the indexes', async () => {
    const name = newName()
    const [view, other] = await open(viewShapeOf(things(name, 1, 16)))
    for (let round = 0; round < 5; round++) {
      await view!.loading(0, 0, { position: 0, goal: 5, perSecond: 0 })
      await Promise.all(Array.from({ length: 16 }, (_, shard) => (shard % 2 === 0 ? view! : other!).loaded(shard)))
      expect(await indexesOf(`${name.replaceAll('-', '_')}__g1`)).toBe(8)
    }
  })

  test('a view that has rows keeps its indexes', async () => {
    const name = newName()
    const [view] = await open(viewShapeOf(things(name, 1, 2)))
    const { epoch, ...from } = await view!.claim(0)
    await view!.commit({ shard: 0, epoch, from, to: at(3), upserts: [upsert('k')], deletes: [] })
    await view!.loading(1, 0, { position: 0, goal: 5, perSecond: 0 })
    expect(await indexesOf(`${name.replaceAll('-', '_')}__g1`)).toBe(8)
  })
})
