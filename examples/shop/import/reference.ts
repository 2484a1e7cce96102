import { readCsv } from './csv.ts'
import { optionalText, text } from './fields.ts'

/**
 * What the views must hold after an import, computed from the files alone and in the plainest way: order by order,
 * no events, no commands. It shares the reader of CSV with the import, and nothing else.
 */
export interface Reference {
  readonly customers: ReadonlyMap<string, unknown>
  readonly orders: ReadonlyMap<string, ReferenceOrder>
  readonly products: ReadonlyMap<string, ReferenceProduct>
  readonly statuses: ReadonlyMap<string, number>
  readonly days: ReadonlyMap<string, ReferenceDay>
  /** How many steps were refused, by rule. */
  readonly refused: ReadonlyMap<string, number>
}

interface ReferenceOrder {
  orderId: string
  customerId: string
  customerName: string
  status: string
  lines: { productId: string; quantity: number; unitPrice: number; freight: number }[]
  total: number
  refund: number
  placedAt: string
  paidAt: string | null
  shippedAt: string | null
  deliveredAt: string | null
  cancelledAt: string | null
  score: number | null
}

interface ReferenceProduct {
  productId: string
  title: string
  category: string
  price: number
  unitsSold: number
  revenue: number
  reviews: number
  scores: number
  addedAt: string
}

interface ReferenceDay {
  day: string
  orders: number
  revenue: number
  refunds: number
}

export async function referenceOf(folder: string): Promise<Reference> {
  const files = await filesIn(folder)
  const orders = new Map<string, ReferenceOrder>()
  const refused = new Map<string, number>()
  const refuse = (rule: string): void => void refused.set(rule, (refused.get(rule) ?? 0) + 1)

  // Who bought: the first row of a person counts.
  const purchases = new Map(files.orders.map(row => [row.customer_id, iso(row.order_purchase_timestamp)]))
  const customers = new Map<string, unknown>()
  for (const row of byTime(files.customers, row => purchases.get(row.customer_id) ?? '')) {
    const registeredAt = purchases.get(row.customer_id)
    if (registeredAt === undefined) continue
    if (customers.has(row.customer_unique_id)) {
      refuse('command/stream-exists')
      continue
    }
    customers.set(row.customer_unique_id, {
      customerId: row.customer_unique_id,
      name: `Customer ${row.customer_unique_id.slice(0, 8)}`,
      city: row.customer_city,
      registeredAt,
    })
  }

  // Each order, step by step.
  const people = new Map(files.customers.map(row => [row.customer_id, row.customer_unique_id]))
  const items = Map.groupBy(files.items, row => row.order_id)
  const payments = Map.groupBy(files.payments, row => row.order_id)
  const reviews = Map.groupBy(files.reviews, row => row.order_id)
  for (const row of files.orders) {
    const placedAt = iso(row.order_purchase_timestamp)
    const paidAt = isoOrNull(row.order_approved_at)
    const shippedAt = isoOrNull(row.order_delivered_carrier_date)
    const deliveredAt = isoOrNull(row.order_delivered_customer_date)
    const steps: { at: string; step: string; score: number }[] = []
    if (paidAt !== null) steps.push({ at: paidAt, step: 'pay', score: 0 })
    if (shippedAt !== null) steps.push({ at: shippedAt, step: 'ship', score: 0 })
    if (deliveredAt !== null) steps.push({ at: deliveredAt, step: 'deliver', score: 0 })
    if (row.order_status === 'canceled' || row.order_status === 'unavailable') {
      const last = [placedAt, paidAt ?? '', shippedAt ?? '', deliveredAt ?? ''].sort().at(-1) ?? ''
      steps.push({ at: last, step: 'cancel', score: 0 })
    }
    for (const review of reviews.get(row.order_id) ?? []) {
      steps.push({ at: iso(review.review_answer_timestamp), step: 'review', score: Number(review.review_score) })
    }

    const lines = byTime(items.get(row.order_id) ?? [], item => item.order_item_id.padStart(6, '0')).map(item => ({
      productId: item.product_id,
      quantity: 1,
      unitPrice: cents(item.price),
      freight: cents(item.freight_value),
    }))
    if (lines.length === 0) {
      refuse('order-without-lines')
      for (const { step } of steps) refuse(step === 'pay' ? 'command/invalid-input' : 'command/stream-not-found')
      continue
    }
    let total = 0
    for (const line of lines) total += line.unitPrice + line.freight
    const order: ReferenceOrder = {
      orderId: row.order_id,
      customerId: people.get(row.customer_id) ?? '',
      customerName: `Customer ${(people.get(row.customer_id) ?? '').slice(0, 8)}`,
      status: 'placed',
      lines,
      total,
      refund: 0,
      placedAt,
      paidAt: null,
      shippedAt: null,
      deliveredAt: null,
      cancelledAt: null,
      score: null,
    }
    orders.set(row.order_id, order)

    for (const { at, step, score } of byTime(steps, step => step.at)) {
      if (at < placedAt) {
        refuse('command/stream-not-found')
      } else if (order.status === 'cancelled') {
        refuse('order-cancelled')
      } else if (step === 'pay') {
        let paid = 0
        for (const payment of payments.get(row.order_id) ?? []) paid += cents(payment.payment_value)
        if (paid !== total) {
          refuse('payment-amount-wrong')
          continue
        }
        order.status = 'paid'
        order.paidAt = at
      } else if (step === 'ship') {
        if (order.status !== 'paid') {
          refuse('order-not-paid')
          continue
        }
        order.status = 'shipped'
        order.shippedAt = at
      } else if (step === 'deliver') {
        if (order.status !== 'shipped') {
          refuse('order-not-shipped')
          continue
        }
        order.status = 'delivered'
        order.deliveredAt = at
      } else if (step === 'cancel') {
        if (order.status === 'delivered') {
          refuse('order-already-delivered')
          continue
        }
        order.refund = order.status === 'placed' ? 0 : total
        order.status = 'cancelled'
        order.cancelledAt = at
      } else if (order.status !== 'delivered') {
        refuse('order-not-delivered')
      } else if (order.score !== null) {
        refuse('order-already-reviewed')
      } else {
        order.score = score
      }
    }
  }

  return {
    customers,
    orders,
    products: productsOf(files, orders),
    statuses: statusesOf(orders),
    days: daysOf(orders),
    refused,
  }
}

type CsvFiles = Awaited<ReturnType<typeof filesIn>>

function productsOf(files: CsvFiles, orders: ReadonlyMap<string, ReferenceOrder>): Map<string, ReferenceProduct> {
  const english = new Map<string, string>()
  for (const row of files.categories) english.set(row.product_category_namept, row.product_category_name_english)
  const categories = new Map<string, string>()
  for (const { product_id: id, product_category_name: name } of files.products) {
    categories.set(id, name === null ? 'uncategorised' : (english.get(name) ?? name))
  }

  const products = new Map<string, ReferenceProduct>()
  const purchases = new Map(files.orders.map(row => [row.order_id, iso(row.order_purchase_timestamp)]))
  for (const item of byTime(files.items, item => purchases.get(item.order_id) ?? '')) {
    const id = item.product_id
    const category = categories.get(id) ?? ''
    if (!products.has(id)) {
      products.set(id, {
        productId: id,
        title: `${category.split('_').join(' ')} ${id.slice(0, 8)}`,
        category,
        price: cents(item.price),
        unitsSold: 0,
        revenue: 0,
        reviews: 0,
        scores: 0,
        addedAt: purchases.get(item.order_id) ?? '',
      })
    }
  }

  for (const order of orders.values()) {
    for (const line of order.lines) {
      const product = products.get(line.productId)
      if (product === undefined) continue
      if (['paid', 'shipped', 'delivered'].includes(order.status)) {
        product.unitsSold += 1
        product.revenue += line.unitPrice
      }
    }
    if (order.score !== null) {
      for (const id of new Set(order.lines.map(line => line.productId))) {
        const product = products.get(id)
        if (product === undefined) continue
        product.reviews += 1
        product.scores += order.score
      }
    }
  }
  return products
}

function statusesOf(orders: ReadonlyMap<string, ReferenceOrder>): Map<string, number> {
  const statuses = new Map<string, number>()
  for (const { status } of orders.values()) statuses.set(status, (statuses.get(status) ?? 0) + 1)
  return statuses
}

function daysOf(orders: ReadonlyMap<string, ReferenceOrder>): Map<string, ReferenceDay> {
  const days = new Map<string, ReferenceDay>()
  const dayOf = (at: string): ReferenceDay => {
    const day = at.slice(0, 10)
    const known = days.get(day) ?? { day, orders: 0, revenue: 0, refunds: 0 }
    days.set(day, known)
    return known
  }
  for (const order of orders.values()) {
    if (order.paidAt !== null) {
      dayOf(order.paidAt).orders += 1
      dayOf(order.paidAt).revenue += order.total
    }
    if (order.refund > 0 && order.cancelledAt !== null) dayOf(order.cancelledAt).refunds += order.refund
  }
  return days
}

/** A stable sort: what is equal stays in the order of the lines. */
function byTime<T>(rows: readonly T[], timeOf: (row: T) => string): T[] {
  return [...rows].sort((a, b) => (timeOf(a) < timeOf(b) ? -1 : timeOf(a) > timeOf(b) ? 1 : 0))
}

/** `M/D/YYYY H:MM` → `YYYY-MM-DDTHH:MM:00.000Z` */
function iso(written: string): string {
  const [date = '', clock = ''] = written.split(' ')
  const [month = '', day = '', year = ''] = date.split('/')
  const [hour = '', minute = ''] = clock.split(':')
  return `${year}-${month.padStart(2, '0')}-${day.padStart(2, '0')}T${hour.padStart(2, '0')}:${minute}:00.000Z`
}

function isoOrNull(written: string | null): string | null {
  return written === null ? null : iso(written)
}

/** `109.9` → 10990 */
function cents(written: string): number {
  const [whole = '', fraction = ''] = written.split('.')
  return Number(whole + fraction.padEnd(2, '0'))
}

async function filesIn(folder: string) {
  return {
    customers: await readCsv(folder, 'olist_customers_dataset.csv', {
      customer_id: text,
      customer_unique_id: text,
      customer_city: text,
    }),
    products: await readCsv(folder, 'olist_products_dataset.csv', {
      product_id: text,
      product_category_name: optionalText,
    }),
    categories: await readCsv(folder, 'product_category_name_translation.csv', {
      product_category_namept: text,
      product_category_name_english: text,
    }),
    orders: await readCsv(folder, 'olist_orders_dataset.csv', {
      order_id: text,
      customer_id: text,
      order_status: text,
      order_purchase_timestamp: text,
      order_approved_at: optionalText,
      order_delivered_carrier_date: optionalText,
      order_delivered_customer_date: optionalText,
    }),
    items: await readCsv(folder, 'olist_order_items_dataset.csv', {
      order_id: text,
      order_item_id: text,
      product_id: text,
      price: text,
      freight_value: text,
    }),
    payments: await readCsv(folder, 'olist_order_payments_dataset.csv', { order_id: text, payment_value: text }),
    reviews: await readCsv(folder, 'olist_order_reviews_dataset.csv', {
      order_id: text,
      review_score: text,
      review_answer_timestamp: text,
    }),
  }
}
