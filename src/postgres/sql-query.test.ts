import { afterAll, beforeAll, describe, expect, expectTypeOf, test } from 'vitest'
import { z } from 'zod'
import { describePostgres, freshDatabase } from '../../test/support/postgres.ts'
import { events, projection, type Query } from '../define/index.ts'
import { origin } from '../log/index.ts'
import { viewShapeOf } from '../project/index.ts'
import type { Database } from './client.ts'
import { openPglite, openPostgres, postgresViewStore, sqlQuery } from './index.ts'
import type { ViewClient } from './view-native.ts'

const Sales = events('sale', { Sold: z.object({}) })
const Orders = projection('orders-in-sql', {
  from: [Sales],
  state: z.object({
    customerId: z.string(),
    total: z.int(),
    paidAt: z.iso.datetime().nullable(),
    lines: z.array(z.object({ sku: z.string() })),
    tags: z.array(z.string()).optional(),
  }),
  on: {},
  indexes: [['customerId', 'total']],
})
const Customers = projection('customers-in-sql', {
  from: [Sales],
  state: z.object({ name: z.string() }),
  on: {},
})

const revenue = sqlQuery('revenue', {
  views: { orders: Orders, customers: Customers },
  input: z.object({ atLeast: z.int() }),
  run: async (db, { atLeast }) =>
    db
      .selectFrom('orders')
      .innerJoin('customers', 'customers._key', 'orders.customerId')
      .select(eb => ['customers.name', eb.fn.sum<number>('orders.total').as('revenue')])
      .where('orders.total', '>=', atLeast)
      .groupBy('customers.name')
      .orderBy('customers.name')
      .execute(),
})
const whole = sqlQuery('whole', {
  views: { orders: Orders },
  input: z.object({}),
  run: async db => db.selectFrom('orders').selectAll().orderBy('_key').execute(),
})

const serving = new Map([
  ['orders-in-sql', 1],
  ['customers-in-sql', 1],
])

function suite(open: () => Promise<{ database: Database; drop: () => Promise<void> }>): void {
  let opened: Awaited<ReturnType<typeof open>>
  let ask: <Input, Result>(query: Query<Input, Result>, tenant: string, input: Input) => Promise<Result>
  beforeAll(async () => {
    opened = await open()
    const store = postgresViewStore(opened.database)
    const orders = await store.open(viewShapeOf(Orders))
    const customers = await store.open(viewShapeOf(Customers))
    const to = { position: 7, fingerprint: 'ffffffffffff' }
    const upsert = (tenant: string, key: string, row: Record<string, unknown>) => ({
      tenant,
      key,
      position: 1,
      row,
      doc: JSON.stringify(row),
    })
    const order = { paidAt: null, lines: [{ sku: 'a"b' }] }
    for (const [view, upserts] of [
      [
        orders,
        [
          upsert('one', 'o1', { ...order, customerId: 'c1', total: 10 }),
          upsert('one', 'o2', { ...order, customerId: 'c1', total: 9_000_000_000, paidAt: '2026-11-21T03:30:00.5Z' }),
          upsert('one', 'o3', { ...order, customerId: 'c2', total: 5, tags: ['x', 'y'] }),
          upsert('two', 'o4', { ...order, customerId: 'c1', total: 99 }),
        ],
      ],
      [customers, [upsert('one', 'c1', { name: 'Ada' }), upsert('one', 'c2', { name: 'Bob' })]],
    ] as const) {
      const { epoch } = await view.claim(0)
      await view.commit({ shard: 0, epoch, from: origin, to, upserts, deletes: [] })
    }
    ask = async (query, tenant, input) => {
      if (query.ask.verb !== 'native') throw new Error('no native query')
      const { run } = query.ask
      const read = await orders.native?.run(tenant, serving, client => run(client, input))
      expect(read?.asOf).toEqual(to)
      return read?.value as never
    }
  })
  afterAll(async () => {
    await opened.database.close()
    await opened.drop()
  })

  test('a query in SQL joins and sums the views of its tenant', async () => {
    expect(await ask(revenue, 'one', { atLeast: 6 })).toEqual([{ name: 'Ada', revenue: 9_000_000_010 }])
    expect(await ask(revenue, 'two', { atLeast: 0 })).toEqual([])
    expectTypeOf(await ask(revenue, 'two', { atLeast: 0 })).toEqualTypeOf<{ name: string; revenue: number }[]>()
  })

  test('values have the types of the rows', async () => {
    const rows = await ask(whole, 'one', {})
    expect(rows.map(({ _key }) => _key)).toEqual(['o1', 'o2', 'o3'])
    expect(rows[1]).toEqual({
      _key: 'o2',
      customerId: 'c1',
      total: 9_000_000_000,
      paidAt: '2026-11-21T03:30:00.5+00:00',
      lines: [{ sku: 'a"b' }],
      tags: null,
    })
    expect(rows[2]?.tags).toEqual(['x', 'y'])
  })

  test('a native query can write nothing', async () => {
    const table = 'bifold_views.orders_in_sql__g1'
    const shape = viewShapeOf(Orders)
    const store = postgresViewStore(opened.database)
    const { native } = await store.open(shape)
    const text = `delete from ${table}`
    await expect(
      native?.run('one', serving, client => (client as ViewClient).sql.query({ text })),
    ).rejects.toMatchObject({
      code: '25006',
    })
    await store.close()
    expect(await ask(whole, 'one', {})).toHaveLength(3)
  })

  test('a query in SQL reads the generation that serves, whichever was opened last', async () => {
    const store = postgresViewStore(opened.database)
    await store.open(viewShapeOf({ ...Orders, version: 2 }))
    expect(await ask(revenue, 'one', { atLeast: 6 })).toEqual([{ name: 'Ada', revenue: 9_000_000_010 }])
    const view = await store.open(viewShapeOf(Orders), 1)
    const count = (generation: number) =>
      view.native?.run('one', new Map([['orders-in-sql', generation]]), async client => {
        const { sql, tableOf } = client as ViewClient
        const text = `select count(*)::integer as rows from bifold_views.${tableOf(Orders)?.table}`
        return (await sql.query<{ rows: number }>({ text }))[0]?.rows
      })
    expect([(await count(1))?.value, (await count(2))?.value]).toEqual([4, 0])
    await store.close()
  })

  test('people see a view by its plain name', async () => {
    const rows = await opened.database.sql.query({
      text: `select _tenant, _key, _position, total from bifold_views.orders_in_sql where "customerId" = 'c2'`,
    })
    expect(rows).toEqual([{ _tenant: 'one', _key: 'o3', _position: 1, total: 5 }])
  })
}

describePostgres('on PostgreSQL', () => {
  suite(async () => {
    const fresh = await freshDatabase()
    return { database: await openPostgres(fresh.url), drop: fresh.drop }
  })
})

describe('on PGlite', () => {
  suite(async () => ({ database: await openPglite(), drop: async () => undefined }))
})
