// What a user writes without a type argument, and what the compiler makes of it. `tsc -p .` is the test.

import {
  aggregate,
  app,
  type EventOf,
  event,
  events,
  isError,
  type Listed,
  type NewEventOf,
  projection,
  query,
  rollup,
  type Schema,
} from 'bifold'
import type { Dispatch } from 'bifold/command'
import { batchProjection, batchQuery } from 'bifold/postgres'
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

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
function same<A, B>(_: Same<A, B>): void {}

declare const dispatch: Dispatch
declare const ask: AskQuery

// Events: constructors take the data of their schema, also where its arrays are readonly

const placed = OrderEvents.OrderPlaced({ customerId: 'ana', total: 100, tags: [] as readonly string[] })
same<typeof placed.type, 'OrderPlaced'>(true)
same<typeof placed.category, 'order'>(true)
same<typeof placed.data.tags, string[]>(true)
same<NewEventOf<typeof OrderEvents>['type'], 'OrderPlaced' | 'OrderPaid'>(true)
same<EventOf<typeof OrderEvents, 'OrderPaid'>['data'], { method: 'card' | 'cash'; total: number }>(true)
same<EventOf<typeof OrderEvents, 'OrderLost'>, never>(true)
// @ts-expect-error the check itself can fail
same<string, 'a'>(true)

const CartEvents = events('cart', {
  ItemAdded: event(z.object({ sku: z.string(), quantity: z.int() }), {
    schemaVersion: 2,
    upcast: { 1: (data: { sku: string }) => ({ ...data, quantity: 1 }) },
    tags: ({ sku }) => [`sku:${sku}`],
  }),
})
same<Parameters<typeof CartEvents.ItemAdded>[0], { readonly sku: string; readonly quantity: number }>(true)
// @ts-expect-error tags see the data of the newest version
event(z.object({ sku: z.string() }), { tags: ({ quantity }) => [quantity] })

const TicketEvents = events('ticket', {
  TicketSold: z.object({ seat: z.string().brand<'Seat'>(), extra: z.record(z.string(), z.unknown()), when: z.date() }),
})
declare const seat: string & z.$brand<'Seat'>
const sold = TicketEvents.TicketSold({ seat, extra: { anything: [1] }, when: new Date() })
same<typeof sold.data.seat, string & z.$brand<'Seat'>>(true)
same<Parameters<typeof TicketEvents.TicketSold>[0]['seat'], string & z.$brand<'Seat'>>(true)
// @ts-expect-error a string without the brand
TicketEvents.TicketSold({ seat: 'A1', extra: {}, when: new Date() })

// Aggregates: a state that JSON gives back may be kept, whatever its shape

interface Tree {
  readonly name: string
  note?: string
  readonly pair: readonly [number, 'a' | 'b' | null]
  readonly counts: Readonly<Record<string, number>>
  readonly payload: unknown
  readonly seat: string & z.$brand<'Seat'>
  children: Tree[]
}
declare const tree: Tree
const Kept = aggregate(OrderEvents, {
  initial: (): Tree => tree,
  evolve: { OrderPlaced: state => ({ ...state, note: 'n' }), OrderPaid: state => state },
  commands: {},
  snapshot: { every: 100, version: 2 },
})
same<ReturnType<typeof Kept.initial>, Tree>(true)

// Aggregates: the state is what `initial` says, literal unions, arrays and all

interface CartState {
  readonly phase: 'open' | 'closed'
  readonly items: { readonly sku: string; readonly quantity: number }[]
}
const Cart = aggregate(CartEvents, {
  initial: (): CartState => ({ phase: 'open', items: [] }),
  evolve: {
    ItemAdded: (cart, { data }) => ({ phase: 'open', items: [...cart.items, data] }),
  },
  commands: {
    AddItem: {
      input: z.object({ sku: z.string(), quantity: z.int().default(1) }),
      stream: 'existing',
      decide: (cart, { sku, quantity }, { now, version, streamId, tenant }) => {
        same<typeof quantity, number>(true)
        same<typeof version, number & { readonly __brand?: 'Version' }>(true)
        return cart.phase === 'open' && now && streamId && tenant ? [CartEvents.ItemAdded({ sku, quantity })] : []
      },
    },
    Close: { input: z.object({}), decide: () => [] },
  },
})
same<ReturnType<typeof Cart.initial>, CartState>(true)
same<ReturnType<typeof Order.initial>, OrderState>(true)

aggregate(CartEvents, {
  initial: (): CartState => ({ phase: 'open', items: [] }),
  evolve: {
    // Neither state nor event is looked at: literals stay literals all the same
    ItemAdded: () => ({ phase: 'closed', items: [] }),
  },
  commands: {},
})

// Commands: the input follows from aggregate and name

await dispatch(Order, 'o-1', 'PayOrder', { method: 'card' })
const dispatched = await dispatch(Cart, 'c-1', 'Close', {}, { commandId: 'id', expectedVersion: 3 })
same<typeof dispatched.repeated, boolean>(true)
// What has a default may be left out; the decision gets it all the same
await dispatch(Cart, 'c-1', 'AddItem', { sku: 'mug' })
await dispatch(Cart, 'c-1', 'AddItem', { sku: 'mug', quantity: 2 })
// @ts-expect-error not what its schema takes
await dispatch(Cart, 'c-1', 'AddItem', { sku: 'mug', quantity: '2' })
// @ts-expect-error a command of another aggregate
await dispatch(Cart, 'c-1', 'PayOrder', { method: 'card' })

// Projections: rows are what their schema says

projection('orders', {
  from: [OrderEvents, CustomerEvents],
  state: Row,
  key: {
    OrderPlaced: ({ data }) => [data.customerId, 'all'],
    OrderPaid: () => null,
    CustomerNamed: 'stream' as never,
  },
  on: {
    OrderPlaced: (row, { data, recordedAt, streamId }, key) => {
      same<typeof data, { customerId: string; total: number; tags: string[] }>(true)
      same<typeof key, string>(true)
      return row ?? { ...data, customerId: recordedAt + streamId, status: 'pending' }
    },
    OrderPaid: () => ({ customerId: 'one', total: 0, status: 'paid', tags: [] }),
    CustomerNamed: () => null,
  },
  indexes: [['total', 'status']],
})
same<(typeof OrderSummaries)['state'], Schema<z.output<typeof Row>>>(true)

projection('per-day', {
  from: [OrderEvents],
  // A union of objects, optional and null columns
  state: z.object({ day: z.string(), last: z.string().nullable(), best: z.int().optional() }),
  key: { OrderPaid: ({ recordedAt }) => recordedAt.slice(0, 10) },
  on: {
    OrderPaid: (row, { data }, day) => ({ day, last: null, ...(row?.best === undefined ? {} : { best: data.total }) }),
  },
})

// Committed with the append, with stages that need nothing else
projection('along', {
  from: [OrderEvents],
  commit: 'with-append',
  key: 'stream',
  state: Row,
  on: { OrderPlaced: (_, { data }) => ({ ...data, status: 'pending' }) },
  row: z.object({ open: z.boolean() }),
  present: order => ({ open: order.status === 'pending' }),
  rollups: { perState: { by: order => String(order.open), sum: () => ({ orders: 1 }) } },
})

// Stages: rows are what `row` says, made of the state and of the rows that the refs name

const Named = projection('named-orders', {
  from: [OrderEvents],
  state: Row,
  on: {
    OrderPlaced: (_, { data }) => ({ ...data, status: 'pending' }),
    OrderPaid: order => order && { ...order, status: 'paid' },
  },
  refs: {
    customer: { to: CustomerNames, key: order => order.customerId },
    rival: { to: OrderSummaries, key: ({ tags }) => tags[0] ?? null },
  },
  row: z.object({ customerName: z.string(), total: z.int(), state: z.enum(['open', 'done']) }),
  present: (order, { customer, rival }) => {
    same<typeof order, z.output<typeof Row>>(true)
    same<typeof customer, { name: string; tier: 'plain' | 'gold' } | null>(true)
    same<typeof rival, z.output<typeof Row> | null>(true)
    return { customerName: customer?.name ?? 'unknown', total: order.total, state: 'open' }
  },
  rollups: {
    perState: { by: row => row.state, sum: row => ({ orders: 1, revenue: row.total }) },
    perName: { by: ({ customerName }) => customerName || null, sum: () => ({ orders: 1 }) },
  },
  indexes: [['customerName', 'total']],
})
same<(typeof Named)['row'], Schema<{ customerName: string; total: number; state: 'open' | 'done' }>>(true)
same<(typeof Named)['state'], Schema<z.output<typeof Row>>>(true)
const named = await ask(query('named', { from: Named, input: z.object({}), get: () => 'k' }), {})
same<typeof named.value, { customerName: string; total: number; state: 'open' | 'done' } | null>(true)

const perState = query('per-state', {
  from: rollup(Named, 'perState'),
  input: z.object({ from: z.string().optional() }),
  list: ({ from }) => ({ index: ['group'], where: { group: { gte: from } }, order: 'desc' }),
})
const groups = await ask(perState, {})
same<(typeof groups.value.rows)[number]['revenue'], number>(true)
same<keyof (typeof groups.value.rows)[number], 'group' | 'orders' | 'revenue'>(true)
const perName = query('per-name', { from: rollup(Named, 'perName'), input: z.object({}), get: () => 'ana' })
same<NonNullable<(typeof perName)['result']>['orders'], number>(true)

// Queries: the answer follows from the verb

const one = await ask(orderById, { orderId: 'o-1' }, { after: dispatched.token, waitMs: 100, onTimeout: 'stale' })
same<typeof one.value, z.output<typeof Row> | null>(true)

const Status = z.object({ status: z.enum(['pending', 'paid']).optional(), cursor: z.string().optional() })
const listed = await ask(
  query('orders', {
    from: OrderSummaries,
    input: Status,
    list: ({ status, cursor }) => ({ index: ['status'], where: { status }, order: status ? 'desc' : 'asc', cursor }),
  }),
  { status: 'paid' },
)
same<typeof listed.value, Listed<z.output<typeof Row>>>(true)

const page = query('page', {
  from: OrderSummaries,
  input: z.object({ limit: z.int().default(10), since: z.string().transform(Number) }),
  list: ({ limit, since }) => ({ index: ['customerId', 'total'], limit: limit + since }),
})
await ask(page, { since: '3' })
// @ts-expect-error the query's input is what goes into its schema
await ask(page, { since: 3 })

const many = await ask(
  query('some', { from: OrderSummaries, input: z.object({ ids: z.array(z.string()) }), many: ({ ids }) => ids }),
  { ids: ['o-1'] },
)
same<typeof many.value, readonly (z.output<typeof Row> | null)[]>(true)

query('dear-orders', {
  from: OrderSummaries,
  input: z.object({}),
  // The input is not looked at: literals stay literals all the same
  list: () => ({ index: ['customerId', 'total'], where: { customerId: 'ana', total: { gte: 100, lt: 200 } } }),
})
query('paid-orders', {
  from: OrderSummaries,
  input: z.object({}),
  list: () => ({ index: ['status'], where: { status: 'paid' }, order: 'desc', limit: 10 }),
})

// The app

app('shop', {
  aggregates: [Order, Cart],
  projections: [OrderSummaries],
  queries: [orderById],
  events: [CustomerEvents],
})

// Errors: the code says what an error carries

declare const caught: unknown
if (isError(caught, 'command/rejected')) {
  same<typeof caught.data.reason, string>(true)
  // @ts-expect-error not what this code carries
  same<typeof caught.data.position, number>(true)
}
// @ts-expect-error no code of the catalogue
isError(caught, 'command/rejeted')

// Batch projections: events by their types, tables by their names

const Ledger = batchProjection('ledger', {
  from: [OrderEvents, CustomerEvents],
  tables: { lines: { columns: 'order_id text' }, sums: { columns: 'total bigint' } },
  handle: async (batch, { tables }) => {
    same<keyof typeof tables, 'lines' | 'sums'>(true)
    for (const e of batch) if (e.type === 'OrderPlaced') same<typeof e.data.total, number>(true)
  },
})
const linesOf = batchQuery('lines-of', {
  from: Ledger,
  input: z.object({ orderId: z.string() }),
  run: async ({ tables, tenant }, { orderId }) => ({ orderId, tenant, table: tables.lines }),
})
const { value: lines } = await ask(linesOf, { orderId: 'o-1' })
same<typeof lines, { orderId: string; tenant: string; table: string }>(true)
app('shop', { aggregates: [Order], events: [CustomerEvents], projections: [Ledger], queries: [linesOf] })
