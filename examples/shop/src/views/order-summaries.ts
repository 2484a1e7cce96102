import { projection, query } from 'bifold'
import { z } from 'zod'
import { Line, OrderEvents, OrderStatus } from '../domain/order.ts'
import { dayOf, Id, Moment } from '../domain/values.ts'
import { Customers } from './customers.ts'

const OrderState = z.object({
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

/** With what the customer is called now, or nothing where the shop does not know her. */
const OrderSummary = OrderState.extend({ customerName: z.string().nullable() })

/** Where each order stands: a row for each order, and sums over all of them. A customer's new name is in all her orders. */
export const OrderSummaries = projection('order-summaries', {
  from: [OrderEvents],
  state: OrderState,
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
  refs: { customer: { to: Customers, key: order => order.customerId } },
  row: OrderSummary,
  present: (order, { customer }) => ({ ...order, customerName: customer?.name ?? null }),
  rollups: {
    perStatus: { by: order => order.status, sum: () => ({ orders: 1 }) },
    /** What came in, by the day of the payment; an order that was cancelled later had come in all the same. */
    paidPerDay: {
      by: order => order.paidAt && dayOf(order.paidAt),
      sum: order => ({ orders: 1, revenue: order.total }),
    },
    /** What went back, by the day of the cancellation. */
    refundedPerDay: {
      by: order => (order.cancelledAt === null || order.refund === 0 ? null : dayOf(order.cancelledAt)),
      sum: order => ({ orders: 1, refunds: order.refund }),
    },
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
