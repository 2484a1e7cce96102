import { app, events, projection, query } from 'bifold'
import { shardOf } from 'bifold/project'
import { z } from 'zod'
import type { CopiedEvent } from './copy.ts'
import { scattered } from './ledger.ts'

export const CustomerEvents = events('customer', { CustomerRenamed: z.object({ name: z.string() }) })
export const OrderEvents = events('order', {
  OrderPlaced: z.object({ customerId: z.string(), total: z.int(), reference: z.string() }),
})

/** Orders with the names of their customers, in two shards; and beside them what each customer has spent. */
export function tradeApp() {
  const customers = projection('customers', {
    from: [CustomerEvents],
    state: z.object({ name: z.string() }),
    on: { CustomerRenamed: (_, { data }) => ({ name: data.name }) },
  })
  const orders = projection('orders', {
    from: [OrderEvents],
    shards: 2,
    state: z.object({ customerId: z.string(), total: z.int(), reference: z.string() }),
    on: { OrderPlaced: (_, { data }) => data },
    refs: { customer: { to: customers, key: order => order.customerId } },
    row: z.object({ customer: z.string(), total: z.int(), reference: z.string() }),
    present: ({ total, reference }, { customer }) => ({ customer: customer?.name ?? 'unknown', total, reference }),
  })
  const spending = projection('spending', {
    from: [OrderEvents],
    key: { OrderPlaced: ({ data }) => data.customerId },
    state: z.object({ orders: z.int(), total: z.int() }),
    on: {
      OrderPlaced: (row, { data }) => ({ orders: (row?.orders ?? 0) + 1, total: (row?.total ?? 0) + data.total }),
    },
  })
  const order = query('order', {
    from: orders,
    input: z.object({ orderId: z.string() }),
    get: ({ orderId }) => orderId,
  })
  const spent = query('spent', {
    from: spending,
    input: z.object({ customerId: z.string() }),
    get: ({ customerId }) => customerId,
  })
  const projections = [customers, orders, spending] as const
  return {
    app: app('trade', { events: [CustomerEvents, OrderEvents], projections, queries: [order, spent] }),
    order,
    spent,
  }
}

/** The one with very many orders. */
export const large = 'customer-large'

/** How many others there are, with about ten orders each. */
const others = 10_000

/** The n-th order that was placed, of a shard: always the same. */
export function orderOf(shard: 0 | 1, n: number): string {
  for (let attempt = 0; ; attempt++) {
    const id = `order-${String(n).padStart(8, '0')}-${shard}${attempt}`
    if (shardOf({ tenant: 'default', key: id }, 2) === shard) return id
  }
}

export function placedBy(customerId: string, n: number) {
  return { customerId, total: 100 + (n % 9900), reference: `reference-${String(n).padStart(12, '0')}` }
}

export function otherOf(n: number): string {
  return `customer-${String(scattered(n) % others).padStart(8, '0')}`
}

/** The large customer's orders, all in the first shard, and those of all others, all in the second one. */
export function* tradeOf(orders: number): Generator<CopiedEvent> {
  const placed = (customerId: string, shard: 0 | 1, n: number): CopiedEvent => {
    const data = placedBy(customerId, n)
    return { category: 'order', streamId: orderOf(shard, n), version: 1, type: 'OrderPlaced', data }
  }
  const named = (streamId: string): CopiedEvent => {
    return { category: 'customer', streamId, version: 1, type: 'CustomerRenamed', data: { name: `First ${streamId}` } }
  }
  yield named(large)
  for (let n = 0; n < others; n++) yield named(`customer-${String(n).padStart(8, '0')}`)
  for (let n = 0; n < orders; n++) yield placed(large, 0, n)
  for (let n = 0; n < others * 10; n++) yield placed(otherOf(n), 1, n)
}
