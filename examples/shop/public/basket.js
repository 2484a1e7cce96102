import { byId, h, refill } from './dom.js'
import { sayMoney } from './format.js'

/** What sending one line costs, in centavos. */
const freightPerLine = 790
const maxQuantity = 20

/** The basket, line by line: what the order will say. */
const lines = new Map()

export function addToBasket({ productId, title, price }) {
  const quantity = Math.min((lines.get(productId)?.quantity ?? 0) + 1, maxQuantity)
  lines.set(productId, { productId, title, quantity, unitPrice: price, freight: freightPerLine })
  showBasket()
}

function change(productId, by) {
  const line = lines.get(productId)
  if (line === undefined) return
  const quantity = Math.min(line.quantity + by, maxQuantity)
  if (quantity === 0) lines.delete(productId)
  else lines.set(productId, { ...line, quantity })
  showBasket()
}

export function emptyBasket() {
  lines.clear()
  showBasket()
}

export function orderLines() {
  return [...lines.values()].map(({ productId, quantity, unitPrice, freight }) => ({
    productId,
    quantity,
    unitPrice,
    freight,
  }))
}

export function showBasket() {
  const all = [...lines.values()]
  const goods = all.reduce((sum, { quantity, unitPrice }) => sum + quantity * unitPrice, 0)
  const freight = all.reduce((sum, line) => sum + line.freight, 0)
  const pieces = all.reduce((sum, { quantity }) => sum + quantity, 0)

  refill(byId('lines'), all.length === 0 ? h('li', { class: 'empty' }, 'Nothing in it yet.') : null, ...all.map(lineOf))
  refill(
    byId('sums'),
    ...(all.length === 0 ? [] : [...sum('Goods', goods), ...sum('Freight', freight), ...sum('Total', goods + freight)]),
  )
  const count = byId('basket-count')
  count.hidden = pieces === 0
  count.textContent = String(pieces)
}

function lineOf({ productId, title, quantity, unitPrice }) {
  const step = (by, sign, words) =>
    h(
      'button',
      { type: 'button', 'aria-label': words, 'data-focus': `${productId}${sign}`, click: () => change(productId, by) },
      sign,
    )
  return h(
    'li',
    {},
    h('span', { class: 'what' }, title),
    h(
      'span',
      { class: 'stepper' },
      step(-1, '−', `One ${title} less`),
      h('span', { class: 'quantity', 'aria-label': 'Quantity' }, String(quantity)),
      step(1, '+', `One ${title} more`),
    ),
    h('span', { class: 'price' }, sayMoney(quantity * unitPrice)),
  )
}

const sum = (name, amount) => [h('dt', {}, name), h('dd', {}, sayMoney(amount))]
