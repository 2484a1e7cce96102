import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { type Backend, run, type System } from 'bifold'
import { origin } from 'bifold/log'
import { embedded, postgres } from 'bifold/postgres'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { freshDirectory } from '../../../test/support/directories.ts'
import { describePostgres, freshDatabase } from '../../../test/support/postgres.ts'
import { shop } from '../src/app.ts'
import { customer } from '../src/views/customers.ts'
import { ordersPerStatus, refundsPerDay, revenuePerDay } from '../src/views/order-figures.ts'
import { order, ordersOfCustomer, recentOrders } from '../src/views/order-summaries.ts'
import { catalogue, products } from '../src/views/product-pages.ts'
import { importFolder } from './import.ts'
import { type Reference, referenceOf } from './reference.ts'
import type { Tally } from './send.ts'

/** The data is no part of the repository: its licence is not ours. */
const folder = process.env['OLIST_DIR'] ?? fileURLToPath(new URL('../../../../shared/data/olist', import.meta.url))
const isThere = existsSync(folder)

const timeoutMs = 180_000

function suite(
  name: string,
  backend: () => Promise<{ readonly on: () => Backend | Promise<Backend>; drop(): Promise<void> }>,
): void {
  describe(`${name}: what was imported is what the files say`, () => {
    let reference: Reference
    let place: Awaited<ReturnType<typeof backend>>
    let system: System
    let tally: Tally
    let printed = ''
    const screen = { write: (text: string) => void (printed += text) }
    const importOnce = () => importFolder(folder, roles => run(shop, { on: place.on(), roles }), screen)

    beforeAll(async () => {
      reference = await referenceOf(folder)
      place = await backend()
      tally = await importOnce()
      system = await run(shop, { on: place.on() })
    }, timeoutMs)

    afterAll(async () => {
      await system.close()
      await place.drop()
    })

    test('commands were rejected by the rules that the data breaks, and the summary says so', () => {
      expect(Object.fromEntries(tally.rejected)).toEqual(Object.fromEntries(reference.refused))
      expect(printed).toContain('accepted')
      for (const [rule, count] of reference.refused) expect(printed).toMatch(new RegExp(`${rule} +${count}\n`))
    })

    test('the log is in the order of time across all orders', async () => {
      let last = ''
      let count = 0
      for (let from = origin; ; ) {
        const { events, through, atHead } = await system.log.read(from)
        for (const { data } of events) {
          const { at } = data as { readonly at: string }
          if (at < last) throw new Error(`an event of ${at} stands behind one of ${last}`)
          last = at
          count++
        }
        if (atHead) break
        from = through
      }
      expect(count).toBe(tally.accepted)
    })

    test('every order, row by row', async () => {
      const rows = await Promise.all(
        Array.from(reference.orders.keys(), async orderId => (await system.query(order, { orderId })).value),
      )
      expect(rows).toEqual([...reference.orders.values()])
      expect(await countOf(page => system.query(recentOrders, page))).toBe(reference.orders.size)
    })

    test('every customer, and the orders of each', async () => {
      const expected = Map.groupBy(reference.orders.values(), row => row.customerId)
      for (const batch of chunks([...reference.customers], 500)) {
        const rows = await Promise.all(
          batch.map(async ([customerId]) => {
            const [row, orders] = await Promise.all([
              system.query(customer, { customerId }),
              system.query(ordersOfCustomer, { customerId, limit: 100 }),
            ])
            return { row: row.value, orders: orders.value.rows.map(row => row.orderId).toSorted() }
          }),
        )
        const wanted = batch.map(([customerId, row]) => ({
          row,
          orders: (expected.get(customerId) ?? []).map(row => row.orderId).toSorted(),
        }))
        expect(rows).toEqual(wanted)
      }
    })

    test('every product, with its sales and its rating', async () => {
      const ids = [...reference.products.keys()]
      const rows = await Promise.all(
        chunks(ids, 100).map(async productIds => (await system.query(products, { productIds })).value),
      )
      expect(rows.flat()).toEqual([...reference.products.values()])
      expect(await countOf(page => system.query(catalogue, page))).toBe(ids.length)
    })

    test('orders per status', async () => {
      const { rows } = (await system.query(ordersPerStatus, {})).value
      expect(Object.fromEntries(rows.map(row => [row.group, row.orders]))).toEqual(
        Object.fromEntries(reference.statuses),
      )
    })

    test('revenue and refunds per day, and nothing on any other day', async () => {
      const days = [...reference.days.values()].sort((a, b) => (a.day < b.day ? 1 : -1))
      const paid = (await system.query(revenuePerDay, { limit: 1000 })).value.rows
      const expected = days.filter(({ orders }) => orders > 0)
      expect(paid).toEqual(expected.map(({ day, orders, revenue }) => ({ group: day, orders, revenue })))
      const refunded = (await system.query(refundsPerDay, { limit: 1000 })).value.rows
      const given = days.filter(({ refunds }) => refunds > 0)
      expect(refunded.map(({ group, refunds }) => [group, refunds])).toEqual(given.map(day => [day.day, day.refunds]))
    })

    test(
      'a second import accepts nothing and appends nothing',
      async () => {
        const { position } = await system.log.head()
        await system.close()
        const again = await importOnce()
        system = await run(shop, { on: place.on() })
        expect(again).toMatchObject({ accepted: 0, repeated: tally.accepted })
        expect((await system.log.head()).position).toBe(position)
      },
      timeoutMs,
    )
  })
}

/** Counts what a list has in all its pages. */
async function countOf(
  list: (page: { limit: number; cursor: string | undefined }) => Promise<{
    readonly value: { readonly rows: readonly unknown[]; readonly next: string | null }
  }>,
): Promise<number> {
  let count = 0
  let cursor: string | undefined
  do {
    const { rows, next } = (await list({ limit: 100, cursor })).value
    count += rows.length
    cursor = next ?? undefined
  } while (cursor !== undefined)
  return count
}

function chunks<T>(values: readonly T[], size: number): T[][] {
  const all: T[][] = []
  for (let at = 0; at < values.length; at += size) all.push(values.slice(at, at + size))
  return all
}

if (!isThere) {
  describe.skip(`The Olist data [skipped: it is not in ${folder}; set OLIST_DIR]`, () => {
    test('is imported', () => undefined)
  })
} else {
  suite('PGlite', async () => {
    const directory = await freshDirectory()
    return { on: () => embedded({ directory: directory.path }), drop: directory.remove }
  })
  describePostgres('PostgreSQL', () => {
    suite('PostgreSQL', async () => {
      const database = await freshDatabase()
      return { on: () => postgres({ url: database.url }), drop: database.drop }
    })
  })
}
