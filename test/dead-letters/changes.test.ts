import { app, events, projection, query, run, type System } from 'bifold'
import { inMemory } from 'bifold/stores/memory'
import { verify } from 'bifold/verify'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { z } from 'zod'

const CustomerEvents = events('customer', { CustomerRenamed: z.object({ name: z.string() }) })
const OrderEvents = events('order', {
  OrderPlaced: z.object({ customerId: z.string() }),
  OrderPacked: z.object({ parcels: z.int() }),
})
const Customers = projection('customers', {
  from: [CustomerEvents],
  state: z.object({ name: z.string() }),
  on: { CustomerRenamed: (_, { data }) => data },
})
const Orders = projection('orders', {
  from: [OrderEvents],
  state: z.object({ customerId: z.string(), parcels: z.int() }),
  on: {
    OrderPlaced: (_, { data }) => ({ ...data, parcels: 0 }),
    OrderPacked: (order, { data }) => order && { ...order, ...data },
  },
  refs: { customer: { to: Customers, key: order => order.customerId } },
  row: z.object({ initial: z.string(), parcels: z.int() }),
  present: ({ parcels }, { customer }) => ({ initial: initialOf(customer?.name ?? '?'), parcels }),
})
const initialOf = (name: string): string => {
  if (name === '' && isBroken) throw new TypeError('a-secret')
  return name.slice(0, 1)
}
const orderById = query('order-by-id', {
  from: Orders,
  input: z.object({ id: z.string() }),
  get: ({ id }: { id: string }) => id,
})
const shop = app('shop', {
  events: [CustomerEvents, OrderEvents],
  projections: [Customers, Orders],
  queries: [orderById],
})

let isBroken = true
let system: System
const append = (category: string, id: string, event: Parameters<System['log']['append']>[0]['events'][number]) =>
  system.log.append({ stream: { tenant: 'default', category, id }, expected: 'any', events: [event] })
const renamed = (id: string, name: string) => append('customer', id, CustomerEvents.CustomerRenamed({ name }))

beforeEach(async () => {
  isBroken = true
  const retry = { minDelayMs: 1, maxDelayMs: 5 }
  system = await run(shop, { on: inMemory(), projections: { retry, requestPollMs: 5 } })
  await renamed('ana', 'Ana')
  for (const id of ['o-1', 'o-2']) await append('order', id, OrderEvents.OrderPlaced({ customerId: 'ana' }))
  await append('order', 'o-3', OrderEvents.OrderPlaced({ customerId: 'bo' }))
  await system.drain()
  await renamed('ana', '')
  await append('order', 'o-1', OrderEvents.OrderPacked({ parcels: 1 }))
  await renamed('bo', 'Bo')
  await append('order', 'o-3', OrderEvents.OrderPacked({ parcels: 3 }))
  await system.drain()
})
afterEach(() => system.close())

test('a customer whose name no row can be made with parks her orders, and no others of their shard', async () => {
  const parked = { code: 'project/present-failed', position: 5, attempts: 3 }
  expect(await system.deadLetters.list()).toMatchObject([
    { ...parked, key: 'o-1', events: 2 },
    { ...parked, key: 'o-2', events: 1 },
  ])
  expect((await system.status()).map(({ projection: of, parkedKeys, behind }) => [of, parkedKeys, behind])).toEqual([
    ['customers', undefined, 0],
    ['orders', 2, 0],
  ])
  const shown = await system.deadLetters.show(Orders, 'o-1')
  expect(shown).toMatchObject({
    row: { initial: 'A', parcels: 0 },
    waiting: [
      { position: 5, type: 'CustomerRenamed', streamId: 'ana' },
      { position: 6, type: 'OrderPacked', streamId: 'o-1' },
    ],
  })
  expect(shown?.stack).toContain('changes.test.ts')
  expect(`${shown?.message} ${shown?.stack}`).not.toContain('a-secret')
  expect(await system.query(orderById, { id: 'o-3' })).toMatchObject({ value: { initial: 'B', parcels: 3 } })
  expect(await verify(system, Orders)).toMatchObject({ equal: true, parkedKeys: 2 })
})

test('a query says that such a row lacks the change, and its own events after it', async () => {
  const standing = { value: { initial: 'A', parcels: 0 }, parked: true }
  expect(await system.query(orderById, { id: 'o-1' })).toMatchObject({ ...standing, asOf: 8, stale: false })
  const head = await system.log.head()
  expect(head.position).toBe(8)
  const outcome = await renamed('bo', 'Bob')
  const token = outcome.kind === 'appended' ? await tokenAfter() : ''
  await expect(system.query(orderById, { id: 'o-2' }, { after: token })).rejects.toMatchObject({
    code: 'query/parked',
    data: { parkedAt: 5 },
  })
  const asItIs = { after: token, onTimeout: 'stale' } as const
  expect(await system.query(orderById, { id: 'o-2' }, asItIs)).toMatchObject({ ...standing, stale: true })
})

test('it goes on when it is retried: as present is by then, or as the customer is called by then', async () => {
  expect(await system.deadLetters.retry(Orders, 'o-1')).toMatchObject({ parked: [{ position: 5, attempts: 4 }] })
  await renamed('ana', 'Ann')
  await system.drain()
  expect(await system.query(orderById, { id: 'o-1' })).toMatchObject({ value: { initial: 'A' }, parked: true })
  expect(await system.deadLetters.retry(Orders, 'o-1')).toEqual({ keys: 1, parked: [] })
  expect(await system.query(orderById, { id: 'o-1' })).toMatchObject({ value: { initial: 'A', parcels: 1 } })
  isBroken = false
  expect(await system.deadLetters.retryAll(Orders)).toEqual({ keys: 1, parked: [] })
  expect(await verify(system, Orders)).toMatchObject({ equal: true, parkedKeys: 0, skippedEvents: 0 })
})

test('a change of a row that it refers to cannot be skipped, and its own events can', async () => {
  const because = { reason: 'a typing error' }
  await expect(system.deadLetters.skip(Orders, 'o-1', because)).rejects.toMatchObject({
    code: 'project/not-skippable',
    data: { projection: 'orders', key: 'o-1', position: 5 },
  })
  // Another event is meant than that at which it stands: nothing is skipped.
  await expect(system.deadLetters.skip(Orders, 'o-1', { ...because, position: 6 })).rejects.toMatchObject({
    code: 'project/not-parked',
    data: { position: 6, standsAt: 5 },
  })
  await append('order', 'o-4', OrderEvents.OrderPlaced({ customerId: 'ana' }))
  await system.drain()
  expect(await system.deadLetters.skip(Orders, 'o-4', because)).toEqual({ keys: 1, parked: [] })
  expect(await system.query(orderById, { id: 'o-4' })).toMatchObject({ value: null })
  expect(await verify(system, Orders)).toMatchObject({ equal: true, parkedKeys: 2, skippedEvents: 1 })
})

/** As of the head. */
async function tokenAfter(): Promise<string> {
  await system.drain()
  return (await system.query(orderById, { id: 'o-3' })).token
}
