// Mistakes that are easily made, each below what the compiler says about it. `…` stands for anything.
// `mistakes.test.ts` compiles this file and compares; the compiler of the repository itself passes it over.

import { aggregate, app, events, projection, query, rollup } from 'bifold'
import type { Dispatch } from 'bifold/command'
import { batchProjection } from 'bifold/postgres'
import type { AskQuery } from 'bifold/query'
import { z } from 'zod'
import {
  CustomerEvents,
  CustomerNames,
  Order,
  OrderEvents,
  type OrderState,
  OrderSummaries,
  orderById,
  Row,
} from './orders.ts'

declare const dispatch: Dispatch
const Customers = projection('customers', {
  from: [OrderEvents],
  state: Row,
  on: {},
  rollups: { perCustomer: { by: order => order.customerId, sum: order => ({ spent: order.total }) } },
})
declare const ask: AskQuery

const initial = (): OrderState => ({ status: 'none', total: 0 })
const evolve = { OrderPlaced: (order: OrderState) => order, OrderPaid: (order: OrderState) => order }

// Events

//~ Property 'total' is missing in type '{ method: "card"; }' but required in type …
OrderEvents.OrderPaid({ method: 'card' })

//~ Property 'OrderLost' does not exist on type …
OrderEvents.OrderLost({})

//~ Object literal may only specify known properties, and 'name' does not exist in type 'Schema<unknown, unknown>'.
events('cart', { CartMade: { name: 'string' } })

// Aggregates

aggregate(OrderEvents, {
  initial: (): { at: Date } => ({ at: new Date() }),
  evolve: { OrderPlaced: order => order, OrderPaid: order => order },
  commands: {},
  //~ Type '{ every: number; }' is not assignable to type '"A state that is kept is JSON: no undefined, Date, Map, Set, bigint or function in it"'.
  snapshot: { every: 100 },
})

aggregate(OrderEvents, {
  initial: (): { readonly note: string | undefined } => ({ note: undefined }),
  evolve: { OrderPlaced: order => order, OrderPaid: order => order },
  commands: {},
  //~ Type '{ every: number; }' is not assignable to type '"A state that is kept is JSON: no undefined, Date, Map, Set, bigint or function in it"'.
  snapshot: { every: 100 },
})

aggregate(OrderEvents, {
  initial,
  evolve,
  commands: {},
  //~ Property 'every' is missing in type '{ version: number; }' but required in type 'SnapshotPolicy'.
  snapshot: { version: 1 },
})

aggregate(OrderEvents, {
  initial,
  //~ Property 'OrderPaid' is missing in type … but required in type …
  evolve: { OrderPlaced: order => order },
  commands: {},
})

aggregate(OrderEvents, {
  initial,
  //~ Object literal may only specify known properties, and 'OrderLost' does not exist in type …
  evolve: { OrderPlaced: order => order, OrderPaid: order => order, OrderLost: (order: OrderState) => order },
  commands: {},
})

aggregate(OrderEvents, {
  initial,
  evolve: {
    //~ Type '"pendin"' is not assignable to type '"none" | "paid" | "pending"'. Did you mean '"pending"'?
    OrderPlaced: (_, { data }) => ({ status: 'pendin', total: data.total }),
    OrderPaid: order => order,
  },
  commands: {},
})

aggregate(OrderEvents, {
  initial,
  evolve: {
    OrderPlaced: order => order,
    //~ Property 'status' is missing in type '{ readonly total: number; }' but required in type …
    OrderPaid: ({ total }) => ({ total }),
  },
  commands: {},
})

aggregate(OrderEvents, {
  initial,
  evolve,
  commands: {
    Rename: {
      input: z.object({ name: z.string() }),
      //~ Type 'NewEvent<"customer", "CustomerNamed", { name: string; }>' is not assignable to type 'NewEventOf<Events<"order", …
      decide: (_, { name }) => [CustomerEvents.CustomerNamed({ name })],
    },
    Gild: {
      input: z.object({}),
      //~ Type '"gold"' is not assignable to type '"card" | "cash"'.
      decide: order => [OrderEvents.OrderPaid({ method: 'gold', total: order.total })],
    },
    Misread: {
      input: z.object({ name: z.string() }),
      //~ Property 'statu' does not exist on type 'OrderState'. Did you mean 'status'?
      //~ Property 'nam' does not exist on type '{ name: string; }'.
      decide: (order, { nam }) => [OrderEvents.OrderPaid({ method: 'card', total: order.statu ? 1 : nam.length })],
    },
    Forget: {
      input: z.object({}),
      //~ Type '() => void' is not assignable to type '(state: OrderState, input: Record<string, never>, context: DecisionContext) => …
      decide: () => {},
    },
    Wait: {
      input: z.object({}),
      //~ Type 'Promise<never[]>' is not assignable to type 'readonly NewEventOf<Events<"order", …
      decide: async () => [],
    },
    Misstate: {
      input: z.object({}),
      //~ Type '"fresh"' is not assignable to type '"existing" | "new"'.
      stream: 'fresh',
      decide: () => [],
    },
  },
})

// Commands

//~ Argument of type '"Pay"' is not assignable to parameter of type '"PayOrder"'.
await dispatch(Order, 'o-1', 'Pay', { method: 'card' })

//~ Type '"gold"' is not assignable to type '"card" | "cash"'.
await dispatch(Order, 'o-1', 'PayOrder', { method: 'gold' })

//~ Property 'method' is missing in type '{}' but required in type '{ method: "card" | "cash"; }'.
await dispatch(Order, 'o-1', 'PayOrder', {})

// Projections

projection('orders', {
  from: [OrderEvents],
  state: Row,
  //~ Object literal may only specify known properties, and 'OrderLost' does not exist in type …
  on: { OrderLost: () => null },
})

projection('orders', {
  from: [OrderEvents],
  state: Row,
  on: {
    //~ Type '"gone"' is not assignable to type '"paid" | "pending"'.
    OrderPlaced: (_, { data }) => ({ ...data, status: 'gone' }),
    //~ 'order' is possibly 'null'.
    OrderPaid: order => (order.status === 'paid' ? order : null),
  },
})

projection('orders', {
  from: [OrderEvents],
  state: Row,
  on: {
    //~ Property 'total' is missing in type … but required in type …
    OrderPlaced: (_, { data }) => ({ customerId: data.customerId, status: 'pending', tags: [] }),
  },
})

projection('orders', {
  from: [OrderEvents],
  state: Row,
  on: {
    //~ Property 'totals' does not exist on type … Did you mean 'total'?
    OrderPlaced: (_, { data }) => ({ ...data, total: data.totals, status: 'pending' }),
  },
})

projection('orders', {
  from: [OrderEvents],
  state: Row,
  key: {
    //~ Type 'number' is not assignable to type 'string | readonly string[] | null'.
    OrderPlaced: event => event.data.total,
  },
  on: { OrderPlaced: () => null },
})

projection('orders', {
  from: [OrderEvents],
  state: Row,
  on: {},
  //~ Type '"statu"' is not assignable to type '"customerId" | "status" | "tags" | "total"'. Did you mean '"status"'?
  indexes: [['statu']],
})

projection('orders', {
  from: [OrderEvents],
  state: Row,
  on: {},
  //~ Type 'number' is not assignable to type 'string'.
  refs: { customer: { to: CustomerNames, key: order => order.total } },
  row: z.object({ name: z.string() }),
  //~ 'customer' is possibly 'null'.
  present: (_, { customer }) => ({ name: customer.name }),
})

projection('orders', {
  from: [OrderEvents],
  state: Row,
  on: {},
  refs: { customer: { to: CustomerNames, key: order => order.customerId } },
  row: z.object({ name: z.string() }),
  //~ Property 'custome' does not exist on type '{ readonly customer: …
  present: (_, { custome }) => ({ name: custome }),
})

projection('orders', {
  from: [OrderEvents],
  state: Row,
  on: {},
  //~ Type 'Events<"order", … is missing the following properties from type 'Projection<…
  refs: { customer: { to: OrderEvents, key: order => order.customerId } },
  row: z.object({ name: z.string() }),
  present: order => ({ name: order.customerId }),
})

projection('orders', {
  from: [OrderEvents],
  state: Row,
  on: {},
  row: z.object({ name: z.string() }),
  //~ Type … is not assignable to type … Property 'name' is missing in type '{ nam: string; }' but required in type …
  present: order => ({ nam: order.customerId }),
  //~ Type '"total"' is not assignable to type '"name"'.
  indexes: [['total']],
})

projection('orders', {
  from: [OrderEvents],
  state: Row,
  on: {},
  rollups: {
    //~ Type 'number' is not assignable to type 'string'.
    perTotal: { by: order => order.total, sum: () => ({ orders: 1 }) },
    //~ Property 'totals' does not exist on type … Did you mean 'total'?
    perStatus: { by: order => order.status, sum: order => ({ revenue: order.totals }) },
    //~ Type 'string' is not assignable to type 'number'.
    perCustomer: { by: order => order.customerId, sum: order => ({ last: order.status }) },
  },
})

// Queries

//~ Argument of type '"perStatus"' is not assignable to parameter of type '"perCustomer"'.
rollup(Customers, 'perStatus')

query('q', {
  from: rollup(Customers, 'perCustomer'),
  input: z.object({}),
  //~ Type '"orders"' is not assignable to type '"group" | "spent"'.
  list: () => ({ index: ['orders'] }),
})

query('q', {
  from: OrderSummaries,
  input: z.object({ number: z.int() }),
  //~ Type 'number' is not assignable to type 'string'.
  get: ({ number }) => number,
})

query('q', {
  from: OrderSummaries,
  input: z.object({ number: z.int() }),
  //~ Type '"statu"' is not assignable to type '"customerId" | "status" | "tags" | "total"'. Did you mean '"status"'?
  list: () => ({ index: ['statu'] }),
})

query('q', {
  from: OrderSummaries,
  input: z.object({ number: z.int() }),
  //~ Type '"gone"' is not assignable to type '"paid" | "pending" | Range<"paid" | "pending"> | undefined'.
  list: () => ({ index: ['status'], where: { status: 'gone' } }),
})

//~ Argument of type … is not assignable to parameter of type … & Verb<… Property … is missing in type …
query('q', { from: OrderSummaries, input: z.object({ number: z.int() }) })

//~ … 'order' does not exist in type '{ orderId: string; }'. Did you mean to write 'orderId'?
await ask(orderById, { order: 'o-1' })

const { value } = await ask(orderById, { orderId: 'o-1' })
//~ Property 'total' does not exist on type … | null'.
export const { total } = value

// Projections that are committed with the append

projection('orders', {
  from: [OrderEvents],
  state: Row,
  //~ Type '{ OrderPlaced: (event: any) => any; }' is not assignable to type '"A projection that is committed with the append has the key 'stream': leave `key` out" | "stream"'.
  //~ Parameter 'event' implicitly has an 'any' type.
  key: { OrderPlaced: event => event.data.customerId },
  on: { OrderPlaced: () => null },
  commit: 'with-append',
})

projection('orders', {
  from: [OrderEvents],
  state: Row,
  shards: 4,
  on: { OrderPlaced: () => null },
  //~ Type '"with-append"' is not assignable to type '"A projection that is committed with the append has one shard: leave `shards` out" | "after-append"'.
  commit: 'with-append',
})

projection('orders', {
  from: [OrderEvents],
  state: z.object({ customerId: z.string() }),
  on: { OrderPlaced: (_, { data }) => ({ customerId: data.customerId }) },
  refs: { customer: { to: CustomerNames, key: order => order.customerId } },
  row: z.object({ name: z.string() }),
  present: (_, { customer }) => ({ name: customer?.name ?? '' }),
  //~ Type '"with-append"' is not assignable to type '"A projection that is committed with the append has no refs" | "after-append"'.
  commit: 'with-append',
})

// Batch projections

batchProjection('ledger', {
  from: [OrderEvents],
  tables: { lines: { columns: 'order_id text' } },
  handle: async () => {},
  //~ Type '"with-append"' is not assignable to type '"A batch projection is not committed with the append: its code would run under the lock of the log"'.
  commit: 'with-append',
})

batchProjection('ledger', {
  from: [OrderEvents],
  tables: { lines: { columns: 'order_id text' } },
  handle: async (batch, { query, tables }) => {
    //~ Property 'line' does not exist on type '{ readonly lines: string; }'. Did you mean 'lines'?
    await query(`insert into ${tables.line} values ($1)`, [batch.length])
    //~ This comparison appears to be unintentional because …
    batch.filter(({ type }) => type === 'OrderPlacd')
  },
})

// The app

//~ Type 'Events<"order", … is not assignable to type 'AnyAggregate'. …
app('shop', { aggregates: [OrderEvents] })

//~ Type 'Aggregate<…' is not assignable to type 'AnyProjection'. …
app('shop', { projections: [Order] })
