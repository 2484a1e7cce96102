import { foldLaws, type SampleEvent } from 'bifold/testing'
import { test } from 'vitest'
import { shop } from '../src/app.ts'
import { CustomerEvents } from '../src/domain/customer.ts'
import { OrderEvents } from '../src/domain/order.ts'
import { ProductEvents } from '../src/domain/product.ts'

const day = (n: number): string => `2026-11-${String(1 + (n % 28)).padStart(2, '0')}T12:00:00.000Z`
const line = (product: number, quantity: number) => ({
  productId: `product-${product}`,
  quantity,
  unitPrice: 100 * (product + 1),
  freight: 10,
})

/** Products and customers, and orders that end in every way that there is. */
const samples: SampleEvent[] = []
for (let n = 0; n < 3; n++) {
  const product = { title: `Product ${n}`, category: 'things', price: 100 * (n + 1), at: day(0) }
  samples.push({ stream: `product-${n}`, event: ProductEvents.ProductAdded(product) })
  const customer = { name: `Customer ${n}`, ...(n > 0 && { address: { postalCode: '1', city: 'A', state: 'B' } }) }
  samples.push({ stream: `customer-${n}`, event: CustomerEvents.CustomerRegistered({ ...customer, at: day(0) }) })
}
const lives = Array.from({ length: 12 }, (_, n) => {
  const stream = `order-${n}`
  const lines = [line(n % 3, 1 + (n % 2)), line((n + 1) % 3, 1)]
  const total = lines.reduce((sum, { quantity, unitPrice, freight }) => sum + quantity * unitPrice + freight, 0)
  const placed = OrderEvents.OrderPlaced({ customerId: `customer-${n % 3}`, lines, total, at: day(n) })
  const paid = OrderEvents.OrderPaid({ parts: [{ method: 'voucher', amount: total }], lines, total, at: day(n + 1) })
  const shipped = OrderEvents.OrderShipped({ at: day(n + 2) })
  const delivered = OrderEvents.OrderDelivered({ at: day(n + 3) })
  const reviewed = OrderEvents.OrderReviewed({ score: 1 + (n % 5), productIds: ['product-0', 'product-1'], at: day(n) })
  const cancelled = (from: 'placed' | 'paid' | 'shipped') =>
    OrderEvents.OrderCancelled({ from, lines, refund: from === 'placed' ? 0 : total, at: day(n + 4) })
  const ways = [
    [placed],
    [placed, cancelled('placed')],
    [placed, paid, cancelled('paid')],
    [placed, paid, shipped, cancelled('shipped')],
    [placed, paid, shipped, delivered, reviewed],
  ]
  return (ways[n % ways.length] ?? []).map(event => ({ stream, event }))
})
// The orders live side by side.
for (let step = 0; step < 5; step++) {
  samples.push(...lives.flatMap(life => life.slice(step, step + 1)))
  const product = samples.length % 3
  const renamed = CustomerEvents.CustomerRenamed({ name: `Renamed ${step}`, at: day(step) })
  samples.push({ stream: `customer-${step % 3}`, event: renamed })
  samples.push({ stream: `product-${product}`, event: ProductEvents.PriceChanged({ price: 50 + step, at: day(step) }) })
}

test.each(shop.projections.map(projection => [projection.name, projection]))(
  '%s has the same rows however its events are folded',
  async (_, projection) => {
    const referred = Object.values(projection.refs).flatMap(({ to }) => to.from)
    const categories = [...projection.from, ...referred].map(({ category }) => category)
    await foldLaws(projection, { events: samples.filter(({ event }) => categories.includes(event.category)) })
  },
)
