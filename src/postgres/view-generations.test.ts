import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { z } from 'zod'
import type { Database as TestDatabase } from '../../test/support/databases.ts'
import { describePostgres, freshDatabase } from '../../test/support/postgres.ts'
import { untilSomebodyWaits } from '../../test/support/waits.ts'
import { projection } from '../define/index.ts'
import { origin } from '../log/index.ts'
import { type ViewStore, viewShapeOf } from '../project/index.ts'
import { type Database, migrate, openPostgres, postgresViewStore } from './index.ts'

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

describePostgres('the generations of a view', () => {
  let fresh: TestDatabase
  let database: Database
  let store: ViewStore
  beforeAll(async () => {
    fresh = await freshDatabase()
    database = await openPostgres(fresh.url)
    store = postgresViewStore(database)
  })
  afterAll(async () => {
    await store.close()
    await database.close()
    await fresh.drop()
  })

  const notes = (name: string, version = 1) =>
    viewShapeOf(
      projection(name, {
        from: [],
        version,
        state: version === 1 ? z.object({ at: z.int() }) : z.object({ at: z.int(), by: z.string() }),
        on: {},
      }),
    )
  const columnsOf = async (table: string): Promise<string> => {
    const [row] = await database.sql.query<{ columns: string }>(
      {
        text: `select string_agg(attname, ' ' order by attnum) as columns
                 from pg_attribute where attrelid = $1::regclass and attnum > 0`,
      },
      [`bifold_views.${table}`],
    )
    return row?.columns ?? ''
  }
  const tablesLike = async (name: string): Promise<readonly string[]> => {
    const rows = await database.sql.query<{ tablename: string }>(
      { text: 'select tablename from pg_tables where starts_with(tablename, $1) order by 1' },
      [name],
    )
    return rows.map(({ tablename }) => tablename)
  }

  test('an index that a release adds is made by who carries the view on, and not by who looks at it', async () => {
    const { generation } = await store.open(notes('indexed'))
    const shape = notes('indexed')
    const added = { ...shape, projection: { ...shape.projection, indexes: [['at']] } }
    const indexes = async () =>
      (await database.sql.query({ text: "select from pg_indexes where indexdef like '%indexed%(_tenant, at, _key)'" }))
        .length
    await store.find(added, generation)
    expect(await indexes()).toBe(0)
    await store.open(added, generation)
    expect(await indexes()).toBe(1)
  })

  test('the view with the plain name is over the one that serves', async () => {
    await store.open(notes('plain'))
    await store.open(notes('plain', 2))
    expect(await columnsOf('plain')).toBe('_tenant _key _position at')
    expect(await store.activate('plain', 2)).toEqual({ kind: 'activated' })
    expect(await columnsOf('plain')).toBe('_tenant _key _position at by')
  })

  test('a view of somebody on the plain one keeps no generation from serving, and the one that it stands on from being dropped', async () => {
    await store.open(notes('reported'))
    await database.sql.script('create view report as select at from bifold_views.reported')
    await store.open(notes('reported', 2))
    expect(await store.activate('reported', 2)).toEqual({ kind: 'activated' })
    expect(await columnsOf('reported')).toBe('_tenant _key _position at')
    expect(await store.drop('reported', 1)).toBe('in-use')
    expect((await store.generations('reported')).length).toBe(2)
    await database.sql.script('drop view report')
    expect(await store.drop('reported', 1)).toBe('dropped')
    expect(await columnsOf('reported')).toBe('_tenant _key _position at by')
  })

  test('somebody who reads the plain view for long keeps no generation from serving', async () => {
    await store.open(notes('read'))
    await store.open(notes('read', 2))
    const report = new pg.Client({ connectionString: fresh.url })
    await report.connect()
    await report.query('begin')
    await report.query('select * from bifold_views.read')
    expect(await store.activate('read', 2)).toEqual({ kind: 'activated' })
    await report.query('rollback')
    await report.end()
    expect(await columnsOf('read')).toBe('_tenant _key _position at')
  })

  test('somebody who reads a generation for long keeps it from being dropped, and nobody from making another view', async () => {
    await store.open(notes('long'))
    await store.open(notes('long', 2))
    expect(await store.activate('long', 2)).toEqual({ kind: 'activated' })
    const report = new pg.Client({ connectionString: fresh.url })
    await report.connect()
    await report.query('begin')
    await report.query('select * from bifold_views.long__g1')
    const dropping = store.drop('long', 1).catch((error: unknown) => error)
    expect((await store.open(notes('other'))).generation).toBe(1)
    expect(await dropping).toMatchObject({ code: 'project/store-busy' })
    await report.query('rollback')
    await report.end()
    expect(await store.drop('long', 1)).toBe('dropped')
  }, 15_000)

  test('whoever parks a key waits for one that is being dropped before it moves its checkpoint, and not the other way round', async () => {
    const view = await store.open(notes('parking'))
    const { epoch } = await view.claim(0)
    const dropping = new pg.Client({ connectionString: fresh.url })
    await dropping.connect()
    await dropping.query('begin')
    await dropping.query("select from bifold_views._generations where projection = 'parking' for no key update")
    const letter = { tenant: 'default', key: 'k', position: 1 }
    const nothing = { drained: [], skipped: [], answered: [], maxEvents: 10 }
    const committing = view.commit({
      shard: 0,
      epoch,
      from: origin,
      to: { position: 1, fingerprint: 'aaaaaaaaaaaa' },
      upserts: [],
      deletes: [],
      parking: {
        ...nothing,
        parked: [{ ...letter, code: 'c', message: 'm', attempts: 1, since: '2026-11-21T03:30:00Z' }],
        letters: [letter],
      },
    })
    await untilSomebodyWaits(dropping)
    await dropping.query("select from bifold_views._checkpoints where projection = 'parking' for update nowait")
    await dropping.query('rollback')
    await dropping.end()
    expect(await committing).toBe('committed')
  })

  test('what takes long under the lock of one view, as an index of a large one, holds up no other view', async () => {
    await store.open(notes('indexed'))
    await store.open(notes('beside'))
    const indexing = new pg.Client({ connectionString: fresh.url })
    await indexing.connect()
    await indexing.query('begin')
    await indexing.query("select pg_advisory_xact_lock(3177002, hashtext('indexed'))")
    const pausing = store.pause('indexed')
    await untilSomebodyWaits(indexing)
    await store.pause('beside')
    await store.rebuild(viewShapeOf(notes('beside').projection))
    expect(await store.paused()).toEqual(new Set(['beside']))
    await indexing.query('rollback')
    await indexing.end()
    await pausing
    expect(await store.paused()).toEqual(new Set(['beside', 'indexed']))
    await store.resume('indexed')
    await store.resume('beside')
  })

  test('a swap waits for whoever parks a key before it holds the checkpoints that this one is about to move', async () => {
    await store.open(notes('swapped'))
    await store.open(notes('swapped', 2))
    const parking = new pg.Client({ connectionString: fresh.url })
    await parking.connect()
    await parking.query('begin')
    await parking.query(
      "select from bifold_views._generations where projection = 'swapped' and generation = 1 for no key update",
    )
    const swapping = store.activate('swapped', 2)
    await untilSomebodyWaits(parking)
    await parking.query("select from bifold_views._checkpoints where projection = 'swapped' for update nowait")
    await parking.query('rollback')
    await parking.end()
    expect(await swapping).toEqual({ kind: 'activated' })
  })

  test('one is dropped although whoever writes to it locks in another order', async () => {
    await store.open(notes('crossed'))
    await store.open(notes('crossed', 2))
    const writing = new pg.Client({ connectionString: fresh.url })
    await writing.connect()
    await writing.query("set deadlock_timeout = '1min'")
    await writing.query('begin')
    await writing.query(
      "select from bifold_views._checkpoints where projection = 'crossed' and generation = 2 for update",
    )
    const dropping = store.drop('crossed', 2)
    await untilSomebodyWaits(writing)
    await writing.query('select from bifold_views.crossed__g2')
    await writing.query('commit')
    await writing.end()
    expect(await dropping).toBe('dropped')
  }, 15_000)

  test('dropping one drops its tables, and those of no other', async () => {
    await store.open(notes('many'))
    await store.open(notes('many', 2))
    await database.sql.script(
      'create table bifold_views.many__g2__more (n int); create table bifold_views.many__g22 (n int)',
    )
    expect(await store.drop('many', 2)).toBe('dropped')
    expect(await tablesLike('many')).toEqual(['many__g1', 'many__g22'])
  })

  test('one that was made by a release before is told what it is made of', async () => {
    await store.open(notes('old'))
    await database.sql.script(
      "update bifold_views._generations set definition = '', row_shape = '' where projection = 'old'",
    )
    const shape = notes('old')
    await store.open(shape)
    const [{ definition, rowShape } = { definition: '', rowShape: '' }] = await store.generations('old')
    expect([definition, rowShape]).toEqual([shape.definition, shape.rowShape])
  })
})
