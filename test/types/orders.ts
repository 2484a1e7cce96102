import { aggregate, events, projection, query, reject } from 'bifold'
import { z } from 'zod'

/** Right definitions, for the mistakes beside them to be made on. */
export const OrderEvents = events('order', {
  OrderPlaced: z.object({ customerId: z.string(), total: z.int(), tags: z.array(z.string()) }),
  OrderPaid: z.object({ method: z.enum(['card', 'cash']), total: z.int() }),
})

export const CustomerEvents = events('customer', { CustomerNamed: z.object({ name: z.string() }) })

export interface OrderState {
  readonly status: 'none' | 'pending' | 'paid'
  readonly total: number
}

export const Order = aggregate(OrderEvents, {
  initial: (): OrderState => ({ status: 'none', total: 0 }),
  evolve: {
    OrderPlaced: (_, { data }) => ({ status: 'pending', total: data.total }),
    OrderPaid: order => ({ ...order, status: 'paid' }),
  },
  commands: {
    PayOrder: {
      input: z.object({ method: z.enum(['card', 'cash']) }),
      decide: (order, { method }) =>
        order.status === 'pending'
          ? [OrderEvents.OrderPaid({ method, total: order.total })]
          : reject('order-not-payable', `Order is ${order.status}`),
    },
  },
})

export const Row = z.object({
  customerId: z.string(),
  total: z.int(),
  status: z.enum(['pending', 'paid']),
  tags: z.array(z.string()),
})

export const OrderSummaries = projection('order-summaries', {
  from: [OrderEvents],
  state: Row,
  on: {
    OrderPlaced: (_, { data }) => ({ ...data, status: 'pending' }),
    OrderPaid: order => order && { ...order, status: 'paid', tags: [...order.tags, 'paid'] },
  },
  indexes: [['status'], ['customerId', 'total']],
})

export const CustomerNames = projection('customer-names', {
  from: [CustomerEvents],
  state: z.object({ name: z.string(), tier: z.enum(['plain', 'gold']) }),
  on: { CustomerNamed: (_, { data }) => ({ name: data.name, tier: 'plain' }) },
})

export const orderById = query('order-by-id', {
  from: OrderSummaries,
  input: z.object({ orderId: z.string() }),
  get: ({ orderId }) => orderId,
})
