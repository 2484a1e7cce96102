import { startingCatalogue } from '../catalogue.ts'
import { Customer } from '../domain/customer.ts'
import { Order, totalOf } from '../domain/order.ts'
import { Product } from '../domain/product.ts'
import { order } from '../views/order-summaries.ts'
import { catalogue, product } from '../views/product-pages.ts'
import type { Action } from './actions.ts'
import { between, oneOf, takeOne } from './chance.ts'
import { remember } from './world.ts'

const firstNames = ['Ana', 'Bento', 'Clara', 'Davi', 'Elisa', 'Fábio', 'Graça', 'Heitor', 'Inês', 'João', 'Lia', 'Rui']
const lastNames = ['Almeida', 'Barbosa', 'Costa', 'Dias', 'Esteves', 'Ferreira', 'Gomes', 'Lopes', 'Moreira', 'Souza']
const cities = [
  { city: 'São Paulo', state: 'SP', postalCode: '01310-100' },
  { city: 'Recife', state: 'PE', postalCode: '50030-230' },
  { city: 'Porto Alegre', state: 'RS', postalCode: '90010-150' },
]

/** Simulated customers are known by their id: the simulation acts for nobody else. */
export const simulated = 'sim-'

const newId = () => `${simulated}${crypto.randomUUID()}`

export const register: Action = async ({ world, random, system }) => {
  const customerId = newId()
  const name = `${oneOf(random, firstNames)} ${oneOf(random, lastNames)}`
  const address = oneOf(random, cities)
  await system.dispatch(Customer, customerId, 'RegisterCustomer', { name, ...(address && { address }) })
  remember(world.customers, customerId)
}

/** Looks through the catalogue, at a product or two, and orders them; then looks at the order. */
export const placeOrder: Action = async place => {
  const { world, random, system } = place
  const customerId = oneOf(random, world.customers)
  if (customerId === undefined) return register(place)
  const { rows } = (await system.query(catalogue, { limit: 100 })).value
  const picked = new Set(Array.from({ length: between(random, 1, 3) }, () => oneOf(random, rows)?.productId))
  const pages = await Promise.all(
    [...picked].filter(id => id !== undefined).map(productId => system.query(product, { productId })),
  )
  const lines = pages.flatMap(({ value }) =>
    value === null
      ? []
      : [
          {
            productId: value.productId,
            quantity: between(random, 1, 2),
            unitPrice: value.price,
            freight: between(random, 5, 20) * 100,
          },
        ],
  )
  if (lines.length === 0) return
  const orderId = newId()
  const { token } = await system.dispatch(Order, orderId, 'PlaceOrder', { customerId, lines })
  remember(world.unpaid, { orderId, total: totalOf(lines) })
  await system.query(order, { orderId }, { after: token })
}

/** Pays, now and then with a voucher and the rest by card. */
export const pay: Action = async ({ world, random, system }) => {
  const open = takeOne(random, world.unpaid)
  if (open === undefined) return
  const voucher = random() < 0.2 ? Math.min(2_000, open.total) : 0
  const rest = {
    method: oneOf(random, ['credit-card', 'boleto', 'debit-card'] as const) ?? 'boleto',
    amount: open.total - voucher,
  }
  const parts = voucher === 0 ? [rest] : [{ method: 'voucher' as const, amount: voucher }, rest]
  const { token } = await system.dispatch(Order, open.orderId, 'PayOrder', { parts })
  await system.query(order, { orderId: open.orderId }, { after: token })
}

export const cancel: Action = async ({ world, random, system }) => {
  const open = takeOne(random, world.unpaid)
  if (open !== undefined) await system.dispatch(Order, open.orderId, 'CancelOrder', {})
}

/** Most are content. */
export const review: Action = async ({ world, random, system }) => {
  const orderId = takeOne(random, world.unreviewed)
  const score = Math.max(between(random, 1, 5), between(random, 2, 5))
  if (orderId !== undefined) await system.dispatch(Order, orderId, 'ReviewOrder', { score })
}

/** A product's price goes to within a tenth of the one it began with. */
export const reprice: Action = async ({ random, system }) => {
  const [productId, , , usual] = oneOf(random, startingCatalogue) ?? startingCatalogue[0]
  const price = Math.round((usual * between(random, 90, 110)) / 1_000) * 10
  await system.dispatch(Product, productId, 'ChangePrice', { price })
}

/** Tries what the rules forbid. */
export const breakARule: Action = async ({ world, random, system }) => {
  const open = oneOf(random, world.unpaid)
  const delivered = oneOf(random, world.unreviewed)
  const customerId = oneOf(random, world.customers)
  const attempts = [
    open &&
      (() =>
        system.dispatch(Order, open.orderId, 'PayOrder', { parts: [{ method: 'boleto', amount: open.total + 1 }] })),
    open && (() => system.dispatch(Order, open.orderId, 'ShipOrder', {})),
    open && (() => system.dispatch(Order, open.orderId, 'ReviewOrder', { score: 1 })),
    delivered && (() => system.dispatch(Order, delivered, 'CancelOrder', {})),
    delivered && (() => system.dispatch(Order, delivered, 'PayOrder', { parts: [{ method: 'boleto', amount: 1 }] })),
    customerId && (() => system.dispatch(Order, newId(), 'PlaceOrder', { customerId, lines: [] })),
  ].filter(attempt => typeof attempt === 'function')
  await oneOf(random, attempts)?.()
}
