import { run, type System } from 'bifold'
import { inMemory } from 'bifold/stores/memory'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { shop } from '../src/app.ts'
import { startingCatalogue, stock } from '../src/catalogue.ts'
import { Customer } from '../src/domain/customer.ts'
import { Order } from '../src/domain/order.ts'
import { Product } from '../src/domain/product.ts'
import { actions } from '../src/simulation/actions.ts'
import { simulate } from '../src/simulation/simulate.ts'
import { emptyWorld } from '../src/simulation/world.ts'
import { customer } from '../src/views/customers.ts'
import { ordersPerStatus, refundsPerDay, revenuePerDay } from '../src/views/order-figures.ts'
import { order, orderQueue, ordersOfCustomer, recentOrders } from '../src/views/order-summaries.ts'
import { bestSellers, catalogue, product, products } from '../src/views/product-pages.ts'

let system: System

beforeEach(async () => {
  system = await run(shop, { on: inMemory() })
})

afterEach(() => system.close())

const mug = { productId: 'mug', quantity: 2, unitPrice: 1_500, freight: 700 }
const lamp = { productId: 'lamp', quantity: 1, unitPrice: 9_000, freight: 300 }

async function addProducts(): Promise<void> {
  await system.dispatch(Product, 'mug', 'AddProduct', { title: 'Mug', category: 'kitchen', price: 1_500 })
  await system.dispatch(Product, 'lamp', 'AddProduct', { title: 'Lamp', category: 'living', price: 9_000 })
}

const place = (orderId: string, lines = [mug, lamp], at = '2026-01-01T10:00:00Z') =>
  system.dispatch(Order, orderId, 'PlaceOrder', { customerId: 'ana', lines, at })

const pay = (orderId: string, amount: number, at = '2026-01-02T10:00:00Z') =>
  system.dispatch(Order, orderId, 'PayOrder', { parts: [{ method: 'boleto', amount }], at })

const ship = (orderId: string) => system.dispatch(Order, orderId, 'ShipOrder', { at: '2026-01-03T10:00:00Z' })
const deliver = (orderId: string) => system.dispatch(Order, orderId, 'DeliverOrder', { at: '2026-01-04T10:00:00Z' })
const cancel = (orderId: string) => system.dispatch(Order, orderId, 'CancelOrder', { at: '2026-01-05T10:00:00Z' })
const review = (orderId: string, score: number) => system.dispatch(Order, orderId, 'ReviewOrder', { score })

describe('the views', () => {
  test('tell the whole life of an order', async () => {
    await place('o-1')
    await pay('o-1', 13_000)
    await ship('o-1')
    await deliver('o-1')
    const { token } = await review('o-1', 4)
    expect((await system.query(order, { orderId: 'o-1' }, { after: token })).value).toEqual({
      orderId: 'o-1',
      customerId: 'ana',
      customerName: null,
      status: 'delivered',
      lines: [mug, lamp],
      total: 13_000,
      refund: 0,
      placedAt: '2026-01-01T10:00:00.000Z',
      paidAt: '2026-01-02T10:00:00.000Z',
      shippedAt: '2026-01-03T10:00:00.000Z',
      deliveredAt: '2026-01-04T10:00:00.000Z',
      cancelledAt: null,
      score: 4,
    })
  })

  test("page through a customer's orders, the newest first", async () => {
    await place('o-1', [mug], '2026-01-01T10:00:00Z')
    await place('o-2', [mug], '2026-01-03T10:00:00Z')
    const { token: after } = await place('o-3', [mug], '2026-01-02T10:00:00Z')
    const first = (await system.query(ordersOfCustomer, { customerId: 'ana', limit: 2 }, { after })).value
    expect(first.rows.map(row => row.orderId)).toEqual(['o-2', 'o-3'])
    const cursor = first.next ?? ''
    const second = (await system.query(ordersOfCustomer, { customerId: 'ana', limit: 2, cursor })).value
    expect(second).toMatchObject({ rows: [{ orderId: 'o-1' }], next: null })
    expect((await system.query(ordersOfCustomer, { customerId: 'bia' })).value.rows).toEqual([])
    expect((await system.query(recentOrders, { limit: 1 })).value.rows).toMatchObject([{ orderId: 'o-2' }])
    expect((await system.query(orderQueue, { status: 'placed', limit: 1 })).value.rows).toMatchObject([
      { orderId: 'o-1' },
    ])
  })

  test('count what was paid as sold, give back what was cancelled, and rate what was reviewed', async () => {
    await addProducts()
    await place('o-1', [mug, lamp, mug])
    await pay('o-1', 16_700)
    await ship('o-1')
    await deliver('o-1')
    await review('o-1', 3)
    await place('o-2', [lamp])
    await pay('o-2', 9_300)
    await cancel('o-2')
    await place('o-3', [mug])
    const { token: after } = await cancel('o-3')
    expect((await system.query(product, { productId: 'mug' }, { after })).value).toMatchObject({
      unitsSold: 4,
      revenue: 6_000,
      reviews: 1,
      scores: 3,
    })
    expect((await system.query(products, { productIds: ['lamp', 'none'] })).value).toMatchObject([
      { unitsSold: 1, revenue: 9_000, reviews: 1, scores: 3 },
      null,
    ])
    expect((await system.query(bestSellers, {})).value.rows.map(row => row.productId)).toEqual(['mug', 'lamp'])
  })

  test('list the catalogue by title, whole or by category, at the price of today', async () => {
    await addProducts()
    const { token: after } = await system.dispatch(Product, 'lamp', 'ChangePrice', { price: 8_000 })
    const all = (await system.query(catalogue, {}, { after })).value.rows
    expect(all).toMatchObject([
      { title: 'Lamp', price: 8_000 },
      { title: 'Mug', price: 1_500 },
    ])
    expect((await system.query(catalogue, { category: 'kitchen' })).value.rows).toEqual([all[1]])
  })

  test('count orders per status, and know none of a status that nothing stands in', async () => {
    await place('o-1')
    await place('o-2')
    await pay('o-2', 13_000)
    await place('o-3')
    await pay('o-3', 13_000)
    await ship('o-3')
    await cancel('o-3')
    const { token: after } = await cancel('o-1')
    expect((await system.query(ordersPerStatus, {}, { after })).value.rows).toEqual([
      { group: 'cancelled', orders: 2 },
      { group: 'paid', orders: 1 },
    ])
  })

  test('sum revenue by the day of the payment, and refunds by the day of the cancellation', async () => {
    await place('o-1')
    await pay('o-1', 13_000, '2026-01-02T23:59:59.999Z')
    await place('o-2', [mug])
    await pay('o-2', 3_700, '2026-01-03T00:00:00Z')
    await place('o-3', [lamp])
    await pay('o-3', 9_300, '2026-01-03T12:00:00Z')
    await cancel('o-3')
    await place('o-4')
    const { token: after } = await system.dispatch(Order, 'o-4', 'CancelOrder', { at: '2026-01-06T10:00:00Z' })
    expect((await system.query(revenuePerDay, {}, { after })).value.rows).toEqual([
      { group: '2026-01-03', orders: 2, revenue: 13_000 },
      { group: '2026-01-02', orders: 1, revenue: 13_000 },
    ])
    expect((await system.query(refundsPerDay, {})).value.rows).toEqual([
      { group: '2026-01-05', orders: 1, refunds: 9_300 },
    ])
    const some = (await system.query(revenuePerDay, { from: '2026-01-03', to: '2026-01-04' })).value.rows
    expect(some.map(row => row.group)).toEqual(['2026-01-03'])
  })

  test('know a customer by name', async () => {
    const { token: after } = await system.dispatch(Customer, 'ana', 'RegisterCustomer', { name: 'Ana' })
    const found = await system.query(customer, { customerId: 'ana' }, { after })
    expect(found.value).toMatchObject({ customerId: 'ana', name: 'Ana', city: null })
  })

  test("a customer's new name is in all her orders, as soon as whoever renamed her looks", async () => {
    const nameIn = async (orderId: string, after: string) =>
      (await system.query(order, { orderId }, { after })).value?.customerName
    const rename = (name: string) => system.dispatch(Customer, 'ana', 'RenameCustomer', { name })
    const { token } = await place('o-1')
    expect(await nameIn('o-1', token)).toBe(null)
    await expect(rename('Ana')).rejects.toMatchObject({ code: 'command/rejected' })
    await system.dispatch(Customer, 'ana', 'RegisterCustomer', { name: 'Ana' })
    expect(await nameIn('o-2', (await place('o-2')).token)).toBe('Ana')
    const renamed = await rename('Ana Maria')
    for (const orderId of ['o-1', 'o-2']) expect(await nameIn(orderId, renamed.token)).toBe('Ana Maria')
    expect((await rename('Ana Maria')).events).toEqual([])
  })
})

test('the catalogue is stocked once, however often the shop is opened', async () => {
  await stock(system)
  await stock(system)
  expect((await system.log.head()).position).toBe(startingCatalogue.length)
})

describe('the simulated people', () => {
  test('bring orders through every status, and break every rule that they try', async () => {
    await stock(system)
    const world = emptyWorld()
    const rejected = new Set<string>()
    // An hour ahead, so that the warehouse takes nothing for too fresh; chance is a fixed sequence
    const place = { world, random: sequence(7), now: () => Date.now() + 3_600_000, system }
    for (let round = 0; round < 40; round++) {
      for (const { act } of actions) {
        await act(place).catch(error => {
          if (error.code !== 'command/rejected') throw error
          rejected.add(error.data.reason)
        })
      }
    }
    const { position } = await system.log.head()
    expect(position).toBeGreaterThan(150)
    const { rows } = (await system.query(recentOrders, { limit: 100 })).value
    expect(new Set(rows.map(row => row.status))).toContain('delivered')
    expect(rows.some(row => row.score !== null)).toBe(true)
    expect([...rejected]).toContain('order-without-lines')
  })

  test('come only while they are let in', async () => {
    await stock(system)
    const failures: unknown[] = []
    const options = { random: sequence(3), failed: (error: unknown) => failures.push(error) }
    await simulate(system, { ...options, commandsPerSecond: 0 }).stop()
    expect((await system.log.head()).position).toBe(startingCatalogue.length)

    const simulation = simulate(system, { ...options, commandsPerSecond: 500 })
    const written = async () => (await system.log.head()).position
    await expect.poll(written, { timeout: 20_000 }).toBeGreaterThan(startingCatalogue.length + 20)
    await simulation.stop()
    const { position } = await system.log.head()
    await new Promise(resolve => setTimeout(resolve, 250))
    expect((await system.log.head()).position).toBe(position)
    expect(failures).toEqual([])
  })
})

/** Numbers from 0 to 1 that look like chance and are the same in every run (mulberry32). */
function sequence(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}
