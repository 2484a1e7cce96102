import { afterEach, beforeEach, expect, test } from 'vitest'
import { z } from 'zod'
import { aggregate, app, events, projection, query, rollup } from '../define/index.ts'
import type { Backend } from '../project/index.ts'
import { inMemory } from '../stores/memory/index.ts'
import { run, type System } from './index.ts'

const OrderEvents = events('order', { OrderPlaced: z.object({ total: z.int() }) })
const Order = aggregate(OrderEvents, {
  initial: (): { n: number } => ({ n: 0 }),
  evolve: { OrderPlaced: ({ n }) => ({ n: n + 1 }) },
  commands: {
    Place: { input: z.object({ total: z.int() }), decide: (_, input) => [OrderEvents.OrderPlaced(input)] },
  },
})

/** A release of a shop whose orders have the same rows in each. */
function release<const Sums extends Readonly<Record<string, number>>>(
  version: number,
  sum: (row: { readonly total: number }) => Sums,
) {
  const Orders = projection('orders', {
    from: [OrderEvents],
    version,
    state: z.object({ total: z.int() }),
    on: { OrderPlaced: (_, { data }) => data },
    rollups: { all: { by: () => 'all', sum }, sizes: { by: row => `${row.total > 5}`, sum: () => ({ orders: 1 }) } },
  })
  const input = z.object({})
  const total = query('total', { from: rollup(Orders, 'all'), input, get: () => 'all' })
  const sizes = query('sizes', { from: rollup(Orders, 'sizes'), input, list: () => ({ index: ['group'] }) })
  const first = query('first', { from: Orders, input, get: () => 'a' })
  const queries = [total, sizes, first]
  return { Orders, total, sizes, first, app: app('shop', { aggregates: [Order], projections: [Orders], queries }) }
}

let on: Backend
let systems: System[]

beforeEach(() => {
  on = { ...inMemory(), close: async () => undefined }
  on = { ...on, views: { ...on.views, close: async () => undefined }, log: { ...on.log, close: async () => undefined } }
  systems = []
})

afterEach(async () => {
  for (const system of systems) await system.close()
})

async function start(released: { readonly app: Parameters<typeof run>[0] }): Promise<System> {
  const system = await run(released.app, { on, projections: { rebuild: { swap: 'manual' } } })
  systems.push(system)
  return system
}

/** From which generations of the orders queries of a process are answered. */
async function answering(system: System): Promise<readonly number[]> {
  const [orders] = await system.status()
  return (orders?.generations ?? []).filter(({ answers }) => answers).map(({ generation }) => generation)
}

async function swap(system: System, orders: Parameters<System['swap']>[0], generation: number): Promise<void> {
  for (const one of systems) await one.drain()
  while ((await system.status())[0]?.generations.some(({ behind }) => behind > 0)) {
    await new Promise(resolve => setTimeout(resolve, 5))
  }
  await system.swap(orders, generation)
}

test('a rollup whose sums have other names is answered from the own generation, and rows are not', async () => {
  const one = release(1, () => ({ orders: 1 }))
  const two = release(2, row => ({ orders: 1, revenue: row.total }))
  const before = await start(one)
  await before.dispatch(Order, 'a', 'Place', { total: 3 })
  await before.drain()
  const after = await start(two)
  expect(await answering(after)).toEqual([1, 2])
  const { token } = await after.dispatch(Order, 'b', 'Place', { total: 7 })
  const [old, now] = [
    { group: 'all', orders: 2 },
    { group: 'all', orders: 2, revenue: 10 },
  ]
  const of = async () => [
    (await before.query(one.total, {}, { after: token })).value,
    (await after.query(two.total, {}, { after: token })).value,
  ]
  expect(await of()).toEqual([old, now])
  // Of the other rollup and of the rows the one that serves is as good.
  expect((await on.views.generations('orders')).map(({ active }) => active)).toEqual([true, false])
  expect((await after.query(two.sizes, {}, { after: token })).value.rows).toEqual([
    { group: 'false', orders: 1 },
    { group: 'true', orders: 1 },
  ])
  expect((await after.query(two.first, {}, { after: token })).value).toEqual({ total: 3 })

  await swap(after, two.Orders, 2)
  expect(await of()).toEqual([old, now])
  expect(await answering(after)).toEqual([2])
  while ((await answering(before)).length < 2) await new Promise(resolve => setTimeout(resolve, 5))
  // Who waits while another generation comes to serve goes on waiting in that.
  await before.pause(one.Orders)
  const later = await after.dispatch(Order, 'c', 'Place', { total: 1 })
  const waiting = [
    before.query(one.total, {}, { after: later.token }),
    after.query(two.total, {}, { after: later.token }),
  ] as const
  await before.resume(one.Orders)
  expect((await Promise.all(waiting)).map(({ value }) => value)).toEqual([
    { group: 'all', orders: 3 },
    { group: 'all', orders: 3, revenue: 11 },
  ])
})

test('a rollup whose sums are computed otherwise under the same names is answered from the one that serves', async () => {
  const before = await start(release(1, row => ({ orders: 1, revenue: row.total })))
  await before.dispatch(Order, 'a', 'Place', { total: 3 })
  const two = release(2, ({ total }) => ({ revenue: total * 2, orders: 1 }))
  const after = await start(two)
  expect(await answering(after)).toEqual([1])
  await swap(after, two.Orders, 2)
  expect((await after.query(two.total, {})).value).toEqual({ group: 'all', revenue: 6, orders: 1 })
  expect(await answering(after)).toEqual([2])
})
