import { ask } from './api.js'
import { byId, h, refill, s, settle } from './dom.js'
import { sayCount, sayMoney, sayName } from './format.js'

const categories = ['kitchen', 'living', 'paper', 'garden', 'travel', 'play']
const pageSize = 12

let category
let shown = pageSize
/** The products that this page knows, as it last saw them. */
const known = new Map()

/** Makes sure that products can be named. */
export async function learn(productIds) {
  const missing = [...new Set(productIds)].filter(id => !known.has(id))
  if (missing.length === 0) return
  const pages = await ask('products', { productIds: missing.slice(0, 100) })
  for (const page of pages ?? []) if (page !== null) known.set(page.productId, page)
}

export function showCategories(changed) {
  const choose = chosen => () => {
    category = chosen
    shown = pageSize
    showCategories(changed)
    changed()
  }
  refill(
    byId('categories'),
    [undefined, ...categories].map(name =>
      h(
        'button',
        {
          type: 'button',
          class: 'chip',
          'aria-pressed': String(category === name),
          'data-focus': name ?? 'all',
          click: choose(name),
        },
        name ?? 'all',
      ),
    ),
  )
  byId('more').onclick = () => {
    shown += pageSize
    changed()
  }
}

/** The cards that have been made, by product: figures change in place, under the pointer as it were. */
const cards = new Map()

export async function showCatalogue(add) {
  const asked = category
  const answer = await ask('catalogue', { limit: Math.min(shown, 100), ...(asked && { category: asked }) })
  if (answer === null || asked !== category) return
  const list = byId('products')
  list.setAttribute('aria-busy', 'false')
  settle(
    list,
    answer.rows.map(page => {
      const card = cards.get(page.productId) ?? cardOf(page.productId, page.category, add)
      cards.set(page.productId, card)
      known.set(page.productId, page)
      card.show(page)
      return card.element
    }),
  )
  byId('more').hidden = answer.next === null || shown >= 100
}

function cardOf(productId, category, add) {
  const icon = categories.includes(category) ? category : 'other'
  const title = h('h3')
  const figures = h('p', { class: 'minor' })
  const price = h('strong')
  const button = h('button', { type: 'button', click: () => add(known.get(productId)) }, 'Add')
  const element = h(
    'li',
    { class: 'product', 'data-category': icon, 'data-product': productId },
    h(
      'div',
      { class: 'art', 'aria-hidden': 'true' },
      s('svg', { viewBox: '0 0 48 48' }, s('use', { href: `#${icon}` })),
    ),
    title,
    figures,
    h('div', { class: 'buy' }, price, button),
  )
  return {
    element,
    show(page) {
      title.textContent = page.title
      price.textContent = sayMoney(page.price)
      button.setAttribute('aria-label', `Add ${page.title} to the basket`)
      figures.replaceChildren(soldOf(page), ratingOf(page))
    },
  }
}

const soldOf = ({ unitsSold }) => (unitsSold === 0 ? 'new here' : `${sayCount(unitsSold)} sold`)

function ratingOf({ reviews, scores }) {
  if (reviews === 0) return ''
  const rating = (scores / reviews).toFixed(1)
  return h(
    'span',
    { class: 'rating' },
    h('span', { 'aria-hidden': 'true' }, ` · ★ ${rating}`),
    h('span', { class: 'hidden-text' }, `, rated ${rating} of 5 in ${sayCount(reviews)} reviews`),
  )
}

export const titleOf = productId => known.get(productId)?.title ?? sayName(productId)
