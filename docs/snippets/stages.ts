import { app, events, projection, query, rollup } from 'bifold'
import { z } from 'zod'

const OrderEvents = events('order', {
  OrderPlaced: z.object({ total: z.int() }),
  OrderPaid: z.object({ amount: z.int(), at: z.iso.datetime() }),
})

export const Orders = projection('orders', {
  from: [OrderEvents],
  // 1 Fold: events to a state, key by key.
  state: z.object({ total: z.int(), paid: z.int(), paidAt: z.iso.datetime().nullable() }),
  on: {
    OrderPlaced: (_, { data }) => ({ total: data.total, paid: 0, paidAt: null }),
    OrderPaid: (order, { data }) => order && { ...order, paid: order.paid + data.amount, paidAt: data.at },
  },
  // 2 Present: the state to the row that queries answer.
  row: z.object({ status: z.enum(['open', 'part-paid', 'paid']), due: z.int(), day: z.string().nullable() }),
  present: ({ total, paid, paidAt }) => ({
    status: paid === 0 ? 'open' : paid < total ? 'part-paid' : 'paid',
    due: total - paid,
    day: paidAt?.slice(0, 10) ?? null,
  }),
  indexes: [['status', 'due']],
  // 3 Rollups: rows to sums over groups of them.
  rollups: {
    perStatus: { by: order => order.status, sum: order => ({ orders: 1, due: order.due }) },
    paidPerDay: { by: order => (order.status === 'paid' ? order.day : null), sum: () => ({ orders: 1 }) },
  },
})

// { group: 'part-paid', orders: 3, due: 12000 }, or null where no order is so
export const ordersOfStatus = query('orders-of-status', {
  from: rollup(Orders, 'perStatus'),
  input: z.object({ status: z.enum(['open', 'part-paid', 'paid']) }),
  get: ({ status }) => status,
})

export const paidPerDay = query('paid-per-day', {
  from: rollup(Orders, 'paidPerDay'),
  input: z.object({ from: z.iso.date(), cursor: z.string().optional() }),
  list: ({ from, cursor }) => ({ index: ['group'], where: { group: { gte: from } }, order: 'desc', cursor }),
})

export const shop = app('shop', {
  projections: [Orders],
  queries: [ordersOfStatus, paidPerDay],
  events: [OrderEvents],
})
