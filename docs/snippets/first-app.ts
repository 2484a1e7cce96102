import { aggregate, app, events, projection, query, reject, run } from 'bifold'
import { embedded } from 'bifold/postgres'
import { z } from 'zod'

// What can happen
const OrderEvents = events('order', {
  OrderPlaced: z.object({ customer: z.string(), total: z.int() }),
  OrderPaid: z.object({ amount: z.int() }),
})

// The write side: a state per order, and decisions on it
type OrderState = { status: 'none' | 'pending' | 'paid'; total: number }
const Order = aggregate(OrderEvents, {
  initial: (): OrderState => ({ status: 'none', total: 0 }),
  evolve: {
    OrderPlaced: (_, { data }) => ({ status: 'pending', total: data.total }),
    OrderPaid: order => ({ ...order, status: 'paid' }),
  },
  commands: {
    PlaceOrder: {
      input: z.object({ customer: z.string(), total: z.int().positive() }),
      stream: 'new',
      decide: (_, input) => [OrderEvents.OrderPlaced(input)],
    },
    PayOrder: {
      input: z.object({ amount: z.int() }),
      decide: (order, { amount }) =>
        order.status === 'pending' && order.total === amount
          ? [OrderEvents.OrderPaid({ amount })]
          : reject('not-payable', `The order is ${order.status}, and its total ${order.total}`),
    },
  },
})

// The read side: a row per order, which becomes a table, and a question to it
const Orders = projection('orders', {
  from: [OrderEvents],
  state: z.object({ customer: z.string(), total: z.int(), status: z.enum(['pending', 'paid']) }),
  on: {
    OrderPlaced: (_, { data }) => ({ ...data, status: 'pending' }),
    OrderPaid: order => order && { ...order, status: 'paid' },
  },
  indexes: [['customer']],
})
const ordersOf = query('orders-of', {
  from: Orders,
  input: z.object({ customer: z.string() }),
  list: ({ customer }) => ({ index: ['customer'], where: { customer } }),
})

const shop = await run(app('shop', { aggregates: [Order], projections: [Orders], queries: [ordersOf] }), {
  on: embedded({ directory: process.env['DATA_DIR'] ?? '.data/first-app' }),
})
const id = crypto.randomUUID()
await shop.dispatch(Order, id, 'PlaceOrder', { customer: 'ana', total: 4200 })
const { token } = await shop.dispatch(Order, id, 'PayOrder', { amount: 4200 })
const { value } = await shop.query(ordersOf, { customer: 'ana' }, { after: token }) // reads its own write
console.log(value.rows.at(-1))
await shop.close()
