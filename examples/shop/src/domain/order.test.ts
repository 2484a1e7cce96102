import type { DecisionContext } from 'bifold'
import { describe, expect, test } from 'vitest'
import { Order, OrderEvents } from './order.ts'

type Happened = Parameters<(typeof Order.evolve)[keyof typeof Order.evolve]>[1]
type State = ReturnType<typeof Order.initial>

const now = '2026-11-21T10:00:00.000Z'
const context: DecisionContext = { tenant: 'default', streamId: 'o-1', version: 0, now }

const mug = { productId: 'mug', quantity: 2, unitPrice: 1_500, freight: 700 }
const lamp = { productId: 'lamp', quantity: 1, unitPrice: 9_000, freight: 300 }
const lines = [mug, lamp]
const total = 13_000

const placed = OrderEvents.OrderPlaced({ customerId: 'ana', lines, total, at: now })
const paid = OrderEvents.OrderPaid({ parts: [{ method: 'boleto', amount: total }], lines, total, at: now })
const shipped = OrderEvents.OrderShipped({ at: now })
const delivered = OrderEvents.OrderDelivered({ at: now })
const cancelled = OrderEvents.OrderCancelled({ from: 'paid', lines, refund: total, at: now })
const reviewed = OrderEvents.OrderReviewed({ score: 4, productIds: ['mug', 'lamp'], at: now })

/** The state after some events: the fold that the engine does. */
function given(...history: { readonly type: string; readonly data: unknown }[]): State {
  const evolve = Order.evolve as unknown as Record<string, (state: State, event: Happened) => State>
  return history.reduce((state, event) => evolve[event.type]?.(state, event as Happened) ?? state, Order.initial())
}

const { PlaceOrder, PayOrder, ShipOrder, DeliverOrder, CancelOrder, ReviewOrder } = Order.commands

const place = (given: State, placed = lines) => PlaceOrder.decide(given, { customerId: 'ana', lines: placed }, context)
const pay = (given: State, ...amounts: number[]) =>
  PayOrder.decide(given, { parts: amounts.map(amount => ({ method: 'credit-card', amount })) }, context)
const ship = (given: State) => ShipOrder.decide(given, {}, context)
const deliver = (given: State) => DeliverOrder.decide(given, {}, context)
const cancel = (given: State) => CancelOrder.decide(given, {}, context)
const review = (given: State) => ReviewOrder.decide(given, { score: 5 }, context)

const rejected = (reason: string) => expect.objectContaining({ kind: 'rejection', reason })

describe('an order', () => {
  test('is placed with the total of its lines and their freight', () => {
    expect(place(given())).toEqual([placed])
  })

  test('without lines is rejected', () => {
    expect(place(given(), [])).toEqual(rejected('order-without-lines'))
  })

  test('is placed once: its stream must be new, and every other command needs one that exists', () => {
    const { PlaceOrder, ...others } = Order.commands
    expect(PlaceOrder.stream).toBe('new')
    expect(Object.values(others).map(command => command.stream)).toEqual(Object.keys(others).map(() => 'existing'))
  })

  test('happens when its command says, or else when it came', () => {
    const told = ShipOrder.decide(given(placed, paid), { at: '2017-10-04T19:55:00Z' }, context)
    expect(told).toEqual([OrderEvents.OrderShipped({ at: '2017-10-04T19:55:00.000Z' })])
    expect(ship(given(placed, paid))).toEqual([OrderEvents.OrderShipped({ at: now })])
  })
})

describe('a payment', () => {
  test('of the total pays the order', () => {
    expect(pay(given(placed), total)).toEqual([
      OrderEvents.OrderPaid({ parts: [{ method: 'credit-card', amount: total }], lines, total, at: now }),
    ])
  })

  test('may come in parts that add up to the total', () => {
    expect(pay(given(placed), 3_000, total - 3_000)).toEqual([expect.objectContaining({ type: 'OrderPaid' })])
  })

  test.each([total - 1, total + 1])('of a wrong amount is rejected (%i)', amount => {
    expect(pay(given(placed), amount)).toEqual({
      kind: 'rejection',
      reason: 'payment-amount-wrong',
      message: expect.any(String),
      details: { total, paid: amount },
    })
  })

  test.each([
    ['paid', [placed, paid]],
    ['shipped', [placed, paid, shipped]],
    ['delivered', [placed, paid, shipped, delivered]],
  ])('of a %s order is rejected: nobody pays twice', (_, history) => {
    expect(pay(given(...history), total)).toEqual(rejected('order-already-paid'))
  })

  test('of a cancelled order is rejected', () => {
    expect(pay(given(placed, paid, cancelled), total)).toEqual(rejected('order-cancelled'))
  })
})

describe('shipping', () => {
  test('follows the payment', () => {
    expect(ship(given(placed, paid))).toEqual([shipped])
  })

  test('before the payment is rejected', () => {
    expect(ship(given(placed))).toEqual(rejected('order-not-paid'))
  })

  test('twice is rejected', () => {
    expect(ship(given(placed, paid, shipped))).toEqual(rejected('order-already-shipped'))
    expect(ship(given(placed, paid, shipped, delivered))).toEqual(rejected('order-already-shipped'))
  })

  test('a cancelled order is rejected', () => {
    expect(ship(given(placed, paid, cancelled))).toEqual(rejected('order-cancelled'))
  })
})

describe('delivery', () => {
  test('follows shipping', () => {
    expect(deliver(given(placed, paid, shipped))).toEqual([delivered])
  })

  test('before shipping is rejected', () => {
    expect(deliver(given(placed))).toEqual(rejected('order-not-shipped'))
    expect(deliver(given(placed, paid))).toEqual(rejected('order-not-shipped'))
  })

  test('twice is rejected', () => {
    expect(deliver(given(placed, paid, shipped, delivered))).toEqual(rejected('order-already-delivered'))
  })

  test('of a cancelled order is rejected', () => {
    expect(deliver(given(placed, cancelled))).toEqual(rejected('order-cancelled'))
  })
})

describe('cancelling', () => {
  test('an unpaid order refunds nothing', () => {
    expect(cancel(given(placed))).toEqual([OrderEvents.OrderCancelled({ from: 'placed', lines, refund: 0, at: now })])
  })

  test.each([
    ['paid', [placed, paid]],
    ['shipped', [placed, paid, shipped]],
  ] as const)('a %s order refunds its total', (from, history) => {
    expect(cancel(given(...history))).toEqual([OrderEvents.OrderCancelled({ from, lines, refund: total, at: now })])
  })

  test('after the delivery is rejected', () => {
    expect(cancel(given(placed, paid, shipped, delivered))).toEqual(rejected('order-already-delivered'))
  })

  test('twice is rejected', () => {
    expect(cancel(given(placed, paid, cancelled))).toEqual(rejected('order-already-cancelled'))
  })
})

describe('a review', () => {
  test('follows the delivery and names each product once', () => {
    const twice = OrderEvents.OrderPlaced({ customerId: 'ana', lines: [mug, lamp, mug], total: 16_700, at: now })
    expect(review(given(twice, paid, shipped, delivered))).toEqual([
      OrderEvents.OrderReviewed({ score: 5, productIds: ['mug', 'lamp'], at: now }),
    ])
  })

  test.each([
    ['placed', [placed]],
    ['paid', [placed, paid]],
    ['shipped', [placed, paid, shipped]],
  ])('of a %s order is rejected', (_, history) => {
    expect(review(given(...history))).toEqual(rejected('order-not-delivered'))
  })

  test('of a cancelled order is rejected', () => {
    expect(review(given(placed, paid, cancelled))).toEqual(rejected('order-cancelled'))
  })

  test('twice is rejected', () => {
    expect(review(given(placed, paid, shipped, delivered, reviewed))).toEqual(rejected('order-already-reviewed'))
  })
})
