import { projection, query } from 'bifold'
import { z } from 'zod'
import { Line, OrderEvents, OrderStatus } from '../domain/order.ts'
import { Id, Moment } from '../domain/values.ts'

const OrderSummary = z.object({
  orderId: Id,
  customerId: Id,
  status: OrderStatus,
  lines: z.array(Line),
  total: z.int(),
  refund: z.int(),
  placedAt: Moment,
  paidAt: Moment.nullable(),
  shippedAt: Moment.nullable(),
  deliveredAt: Moment.nullable(),
  cancelledAt: Moment.nullable(),
  score: z.int().nullable(),
})

/** Where each order stands: a row for each order. */
export const OrderSummaries = projection('order-summaries', {
  from: [OrderEvents],
  state: OrderSummary,
  on: {
    OrderPlaced: (_, { streamId, data }) => ({
      orderId: streamId,
      customerId: data.customerId,
      status: 'placed',
      lines: data.lines,
      total: data.total,
      refund: 0,
      placedAt: data.at,
      paidAt: null,
      shippedAt: null,
      deliveredAt: null,
      cancelledAt: null,
      score: null,
    }),
    OrderPaid: (order, { data }) => order && { ...order, status: 'paid', paidAt: data.at },
    OrderShipped: (order, { data }) => order && { ...order, status: 'shipped', shippedAt: data.at },
    OrderDelivered: (order, { data }) => order && { ...order, status: 'delivered', deliveredAt: data.at },
    OrderCancelled: (order, { data }) =>
      order && { ...order, status: 'cancelled', refund: data.refund, cancelledAt: data.at },
    OrderReviewed: (order, { data }) => order && { ...order, score: data.score },
  },
  indexes: [['customerId', 'placedAt'], ['status', 'placedAt'], ['placedAt']],
})

const page = {
  limit: z.int().min(1).max(100).optional(),
  cursor: z.string().optional(),
}

/** One order. */
export const order = query('order', {
  from: OrderSummaries,
  input: z.object({ orderId: Id }),
  get: ({ orderId }) => orderId,
})

/** A customer's orders, the newest first. */
export const ordersOfCustomer = query('orders-of-customer', {
  from: OrderSummaries,
  input: z.object({ customerId: Id, ...page }),
  list: ({ customerId, ...page }) => ({
    index: ['customerId', 'placedAt'],
    where: { customerId },
    order: 'desc',
    ...page,
  }),
})

/** The newest orders. */
export const recentOrders = query('recent-orders', {
  from: OrderSummaries,
  input: z.object({ ...page }),
  list: page => ({ index: ['placedAt'], order: 'desc', ...page }),
})

/** The orders of one status, the oldest first: what waits to be packed, or to be handed over. */
export const orderQueue = query('order-queue', {
  from: OrderSummaries,
  input: z.object({ status: OrderStatus, ...page }),
  list: ({ status, ...page }) => ({ index: ['status', 'placedAt'], where: { status }, ...page }),
})
