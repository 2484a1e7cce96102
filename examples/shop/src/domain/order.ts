import { aggregate, events, reject } from 'bifold'
import { z } from 'zod'
import { Id, Moment, Money, momentOf } from './values.ts'

// Types

/**
 * So many of one product, at the price that the customer was shown, and what it costs to send all of them.
 * The price is part of the order: a product that becomes dearer tomorrow does not change what was agreed today.
 */
export const Line = z.object({
  productId: Id,
  quantity: z.int().min(1).max(1000),
  unitPrice: Money.max(10_000_000),
  freight: Money.max(10_000_000),
})
type Line = z.output<typeof Line>

const Lines = z.array(Line).max(100)

/** A payment may come in several parts: a voucher, and the rest by card. */
const Part = z.object({ method: z.enum(['credit-card', 'debit-card', 'boleto', 'voucher']), amount: Money })

const Score = z.int().min(1).max(5)

export const OrderStatus = z.enum(['placed', 'paid', 'shipped', 'delivered', 'cancelled'])
type OrderStatus = z.output<typeof OrderStatus>

export function totalOf(lines: readonly Line[]): number {
  return lines.reduce((total, { quantity, unitPrice, freight }) => total + quantity * unitPrice + freight, 0)
}

// Events: each carries what a read model needs, so that none has to look anything up

export const OrderEvents = events('order', {
  OrderPlaced: z.object({ customerId: Id, lines: Lines, total: z.int(), at: Moment }),
  OrderPaid: z.object({ parts: z.array(Part), lines: Lines, total: z.int(), at: Moment }),
  OrderShipped: z.object({ at: Moment }),
  OrderDelivered: z.object({ at: Moment }),
  /** `from`: the status that it left. `refund`: what goes back to the customer, 0 where nothing had been paid. */
  OrderCancelled: z.object({
    from: z.enum(['placed', 'paid', 'shipped']),
    lines: Lines,
    refund: z.int(),
    at: Moment,
  }),
  OrderReviewed: z.object({ score: Score, productIds: z.array(Id), at: Moment }),
})

// State and evolve

type OrderState = {
  readonly status: 'none' | OrderStatus
  readonly lines: Line[]
  readonly total: number
  readonly reviewed: boolean
}

const initial = (): OrderState => ({ status: 'none', lines: [], total: 0, reviewed: false })

// Decisions and wiring

/** Time is the caller's where an order's history is told afterwards; the rules go by the order of the commands. */
const at = Moment.optional()

const cancelled = () => reject('order-cancelled', 'The order was cancelled.')

export const Order = aggregate(OrderEvents, {
  initial,
  evolve: {
    OrderPlaced: (order, { data }) => ({ ...order, status: 'placed', lines: data.lines, total: data.total }),
    OrderPaid: order => ({ ...order, status: 'paid' }),
    OrderShipped: order => ({ ...order, status: 'shipped' }),
    OrderDelivered: order => ({ ...order, status: 'delivered' }),
    OrderCancelled: order => ({ ...order, status: 'cancelled' }),
    OrderReviewed: order => ({ ...order, reviewed: true }),
  },
  commands: {
    PlaceOrder: {
      stream: 'new',
      input: z.object({ customerId: Id, lines: Lines, at }),
      decide: (_, { customerId, lines, at }, context) => {
        if (lines.length === 0) return reject('order-without-lines', 'An order needs at least one line.')
        return [OrderEvents.OrderPlaced({ customerId, lines, total: totalOf(lines), at: momentOf(at, context) })]
      },
    },

    /** One command carries every part of the payment: an order is paid whole, or not at all. */
    PayOrder: {
      stream: 'existing',
      input: z.object({ parts: z.array(Part).min(1).max(100), at }),
      decide: ({ status, lines, total }, { parts, at }, context) => {
        if (status === 'cancelled') return cancelled()
        if (status !== 'placed') return reject('order-already-paid', 'The order is paid already.')
        const paid = parts.reduce((sum, { amount }) => sum + amount, 0)
        if (paid !== total) {
          return reject('payment-amount-wrong', `The order costs ${total}; the payment is ${paid}.`, { total, paid })
        }
        return [OrderEvents.OrderPaid({ parts, lines, total, at: momentOf(at, context) })]
      },
    },

    ShipOrder: {
      stream: 'existing',
      input: z.object({ at }),
      decide: ({ status }, { at }, context) => {
        if (status === 'cancelled') return cancelled()
        if (status === 'placed') return reject('order-not-paid', 'The order is not paid yet.')
        if (status !== 'paid') return reject('order-already-shipped', 'The order was shipped already.')
        return [OrderEvents.OrderShipped({ at: momentOf(at, context) })]
      },
    },

    DeliverOrder: {
      stream: 'existing',
      input: z.object({ at }),
      decide: ({ status }, { at }, context) => {
        if (status === 'cancelled') return cancelled()
        if (status === 'delivered') return reject('order-already-delivered', 'The order was delivered already.')
        if (status !== 'shipped') return reject('order-not-shipped', 'The order has not been shipped yet.')
        return [OrderEvents.OrderDelivered({ at: momentOf(at, context) })]
      },
    },

    CancelOrder: {
      stream: 'existing',
      input: z.object({ at }),
      decide: ({ status, lines, total }, { at }, context) => {
        if (status === 'cancelled') return reject('order-already-cancelled', 'The order was cancelled already.')
        if (status === 'delivered') return reject('order-already-delivered', 'The order was delivered already.')
        if (status === 'none') return [] // never asked: the stream exists
        const refund = status === 'placed' ? 0 : total
        return [OrderEvents.OrderCancelled({ from: status, lines, refund, at: momentOf(at, context) })]
      },
    },

    ReviewOrder: {
      stream: 'existing',
      input: z.object({ score: Score, at }),
      decide: ({ status, lines, reviewed }, { score, at }, context) => {
        if (status === 'cancelled') return cancelled()
        if (status !== 'delivered') return reject('order-not-delivered', 'The order has not been delivered yet.')
        if (reviewed) return reject('order-already-reviewed', 'The order was reviewed already.')
        const productIds = [...new Set(lines.map(line => line.productId))]
        return [OrderEvents.OrderReviewed({ score, productIds, at: momentOf(at, context) })]
      },
    },
  },
})
