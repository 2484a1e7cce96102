import type { Dispatch, Dispatched, DispatchOptions } from 'bifold/command'
import { Customer } from '../src/domain/customer.ts'
import { Order } from '../src/domain/order.ts'
import { Product } from '../src/domain/product.ts'
import type { CustomerRow, Input, ItemRow, OrderRow, PaymentRow } from './files.ts'

/** One command of the import. */
export interface PlannedCommand {
  /** When it happened, ISO 8601 in UTC. The command carries it, and its event too. */
  readonly at: string
  /** `order/<id>`: commands of one stream are sent one after another. */
  readonly stream: string
  /** It is the first of its stream. */
  readonly begins: boolean
  /** Made from the row: however often the row is imported, its command is carried out once. */
  readonly commandId: string
  readonly send: (dispatch: Dispatch, options: DispatchOptions) => Promise<Dispatched>
}

export interface Plan {
  /** In the order of time across all orders. Ties go by the order of `kinds`, then by the rows' lines. */
  readonly commands: readonly PlannedCommand[]
  /** How many rows tell of nothing that happened, by what they are. */
  readonly idle: Readonly<Record<Idle, number>>
}

type Idle = 'customers without an order' | 'products never ordered' | 'payments never approved'

/** What happens in one minute happens in this order: who and what takes part, then an order's life. */
const kinds = ['customer', 'product', 'place', 'pay', 'ship', 'deliver', 'cancel', 'review'] as const

interface Ranked extends PlannedCommand {
  readonly kind: (typeof kinds)[number]
  readonly line: number
}

/**
 * Turns the rows into the commands of their orders' lives. Pure: the same input gives the same plan.
 *
 * - A row of customers registers a person (`customer_unique_id`) when the row's first order is placed. Somebody who
 *   came back has a second row, whose command the shop refuses.
 * - A product is added when it is first ordered, at the price it then has.
 * - An order is placed at its purchase, with a line for each item; paid at its approval, with all of its payments;
 *   shipped when the carrier has it; delivered when the customer has it; reviewed when the survey was answered.
 * - Of an order that is `canceled` or `unavailable` it is not said when that came about: it is cancelled after the
 *   last thing that is known to have happened to it, in the same minute.
 */
export function planOf(input: Input): Plan {
  const registrations = registrationsOf(input)
  const additions = additionsOf(input)
  const items = Map.groupBy(input.items, item => item.order_id)
  const payments = Map.groupBy(input.payments, payment => payment.order_id)
  const buyers = new Map(input.customers.map(customer => [customer.customer_id, customer.customer_unique_id]))
  const lives = input.orders.flatMap(order =>
    lifeOf(order, {
      buyer: buyers.get(order.customer_id) ?? order.customer_id,
      items: items.get(order.order_id) ?? [],
      payments: payments.get(order.order_id) ?? [],
    }),
  )
  const unapproved = input.orders.filter(order => order.order_approved_at === null)
  return {
    commands: [...registrations, ...additions, ...lives, ...reviewsOf(input)].sort(byTime),
    idle: {
      'customers without an order': input.customers.length - registrations.length,
      'products never ordered': input.products.length - additions.length,
      'payments never approved': unapproved.flatMap(order => payments.get(order.order_id) ?? []).length,
    },
  }
}

function byTime(a: Ranked, b: Ranked): number {
  if (a.at !== b.at) return a.at < b.at ? -1 : 1
  return kinds.indexOf(a.kind) - kinds.indexOf(b.kind) || a.line - b.line
}

function registrationsOf({ customers, orders }: Input): Ranked[] {
  const firstOrders = firstOf(
    orders,
    order => order.customer_id,
    order => order.order_purchase_timestamp,
  )
  return customers.flatMap((customer: CustomerRow): Ranked[] => {
    const at = firstOrders.get(customer.customer_id)?.order_purchase_timestamp
    if (at === undefined) return []
    const id = customer.customer_unique_id
    const address = {
      postalCode: customer.customer_zip_code_prefix,
      city: customer.customer_city,
      state: customer.customer_state,
    }
    return [
      {
        kind: 'customer',
        line: customer.line,
        at,
        stream: `customer/${id}`,
        begins: true,
        commandId: `import/customer/${customer.customer_id}`,
        // The data is anonymous; a person needs some name.
        send: (dispatch, options) =>
          dispatch(Customer, id, 'RegisterCustomer', { name: `Customer ${id.slice(0, 8)}`, address, at }, options),
      },
    ]
  })
}

function additionsOf({ products, categories, orders, items }: Input): Ranked[] {
  const purchases = new Map(orders.map(order => [order.order_id, order.order_purchase_timestamp]))
  const purchaseOf = (item: ItemRow): string => purchases.get(item.order_id) ?? ''
  const firstItems = firstOf(items, item => item.product_id, purchaseOf)
  const english = new Map(categories.map(row => [row.product_category_namept, row.product_category_name_english]))
  return products.flatMap((product): Ranked[] => {
    const id = product.product_id
    const item = firstItems.get(id)
    if (item === undefined) return []
    const { product_category_name: portuguese } = product
    const category = portuguese === null ? 'uncategorised' : (english.get(portuguese) ?? portuguese)
    const title = `${category.replaceAll('_', ' ')} ${id.slice(0, 8)}`
    const at = purchaseOf(item)
    return [
      {
        kind: 'product',
        line: product.line,
        at,
        stream: `product/${id}`,
        begins: true,
        commandId: `import/product/${id}`,
        send: (dispatch, options) =>
          dispatch(Product, id, 'AddProduct', { title, category, price: item.price, at }, options),
      },
    ]
  })
}

/** For each key the row with the earliest time; of several the one that stands first. */
function firstOf<T>(rows: readonly T[], keyOf: (row: T) => string, timeOf: (row: T) => string): ReadonlyMap<string, T> {
  const first = new Map<string, T>()
  for (const row of rows) {
    const known = first.get(keyOf(row))
    if (known === undefined || timeOf(row) < timeOf(known)) first.set(keyOf(row), row)
  }
  return first
}

interface Belongings {
  readonly buyer: string
  readonly items: readonly ItemRow[]
  readonly payments: readonly PaymentRow[]
}

function lifeOf(order: OrderRow, { buyer, items, payments }: Belongings): Ranked[] {
  const {
    order_id: id,
    order_status: status,
    order_purchase_timestamp: placedAt,
    order_approved_at: paidAt,
    order_delivered_carrier_date: shippedAt,
    order_delivered_customer_date: deliveredAt,
  } = order
  const lines = items
    .toSorted((a, b) => a.order_item_id - b.order_item_id)
    .map(item => ({ productId: item.product_id, quantity: 1, unitPrice: item.price, freight: item.freight_value }))
  const parts = payments
    .toSorted((a, b) => a.payment_sequential - b.payment_sequential)
    .flatMap(payment => partOf(payment))
  const step = (kind: Ranked['kind'], at: string, send: Ranked['send']): Ranked => {
    const commandId = `import/order/${id}/${kind}`
    return { kind, line: order.line, at, stream: `order/${id}`, begins: kind === 'place', commandId, send }
  }
  const life = [
    step('place', placedAt, (dispatch, options) =>
      dispatch(Order, id, 'PlaceOrder', { customerId: buyer, lines, at: placedAt }, options),
    ),
  ]
  if (paidAt !== null) {
    const send: Ranked['send'] = (dispatch, options) => dispatch(Order, id, 'PayOrder', { parts, at: paidAt }, options)
    life.push(step('pay', paidAt, send))
  }
  if (shippedAt !== null) {
    const send: Ranked['send'] = (dispatch, options) => dispatch(Order, id, 'ShipOrder', { at: shippedAt }, options)
    life.push(step('ship', shippedAt, send))
  }
  if (deliveredAt !== null) {
    const send: Ranked['send'] = (dispatch, options) =>
      dispatch(Order, id, 'DeliverOrder', { at: deliveredAt }, options)
    life.push(step('deliver', deliveredAt, send))
  }
  if (status === 'canceled' || status === 'unavailable') {
    const at = life.reduce((latest, known) => (known.at > latest ? known.at : latest), placedAt)
    const send: Ranked['send'] = (dispatch, options) => dispatch(Order, id, 'CancelOrder', { at }, options)
    life.push(step('cancel', at, send))
  }
  return life
}

const methods = {
  credit_card: 'credit-card',
  debit_card: 'debit-card',
  boleto: 'boleto',
  voucher: 'voucher',
  not_defined: undefined,
} as const

/** A payment without a method is none; if money is missing then, the shop refuses the amount. */
function partOf({ payment_type, payment_value: amount }: PaymentRow) {
  const method = methods[payment_type]
  return method === undefined ? [] : [{ method, amount }]
}

function reviewsOf({ reviews }: Input): Ranked[] {
  return reviews.map(review => {
    const { order_id: id, review_score: score, review_answer_timestamp: at } = review
    return {
      kind: 'review',
      line: review.line,
      at,
      stream: `order/${id}`,
      begins: false,
      commandId: `import/review/${review.review_pk}`,
      send: (dispatch, options) => dispatch(Order, id, 'ReviewOrder', { score, at }, options),
    }
  })
}
