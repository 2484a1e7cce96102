import { projection, query } from 'bifold'
import { z } from 'zod'
import { OrderEvents } from '../domain/order.ts'
import { ProductEvents } from '../domain/product.ts'
import { Id, Moment } from '../domain/values.ts'

const ProductPage = z.object({
  productId: Id,
  title: z.string(),
  category: z.string(),
  price: z.int(),
  /** Units and money of orders that were paid and not cancelled; freight is not a product's revenue. */
  unitsSold: z.int(),
  revenue: z.int(),
  /** Reviews of orders that held the product, and the sum of their scores: the rating is `scores / reviews`. */
  reviews: z.int(),
  scores: z.int(),
  addedAt: Moment,
})

type Lines = readonly { readonly productId: string; readonly quantity: number; readonly unitPrice: number }[]

/** A product with its sales and rating: events of the product, and of every order that holds it. */
export const ProductPages = projection('product-pages', {
  from: [ProductEvents, OrderEvents],
  state: ProductPage,
  key: {
    ProductAdded: ({ streamId }) => streamId,
    PriceChanged: ({ streamId }) => streamId,
    OrderPaid: ({ data }) => productsIn(data.lines),
    OrderCancelled: ({ data }) => (data.from === 'placed' ? null : productsIn(data.lines)),
    OrderReviewed: ({ data }) => data.productIds,
  },
  on: {
    ProductAdded: (_, { streamId, data }) => ({
      productId: streamId,
      title: data.title,
      category: data.category,
      price: data.price,
      unitsSold: 0,
      revenue: 0,
      reviews: 0,
      scores: 0,
      addedAt: data.at,
    }),
    PriceChanged: (page, { data }) => page && { ...page, price: data.price },
    OrderPaid: (page, { data }, productId) => {
      const { units, revenue } = salesOf(data.lines, productId)
      return page && { ...page, unitsSold: page.unitsSold + units, revenue: page.revenue + revenue }
    },
    OrderCancelled: (page, { data }, productId) => {
      const { units, revenue } = salesOf(data.lines, productId)
      return page && { ...page, unitsSold: page.unitsSold - units, revenue: page.revenue - revenue }
    },
    OrderReviewed: (page, { data }) => page && { ...page, reviews: page.reviews + 1, scores: page.scores + data.score },
  },
  indexes: [['title'], ['category', 'title'], ['unitsSold']],
})

function productsIn(lines: Lines): readonly string[] {
  return [...new Set(lines.map(line => line.productId))]
}

function salesOf(lines: Lines, productId: string): { units: number; revenue: number } {
  const own = lines.filter(line => line.productId === productId)
  return {
    units: own.reduce((sum, { quantity }) => sum + quantity, 0),
    revenue: own.reduce((sum, { quantity, unitPrice }) => sum + quantity * unitPrice, 0),
  }
}

const page = {
  limit: z.int().min(1).max(100).optional(),
  cursor: z.string().optional(),
}

export const product = query('product', {
  from: ProductPages,
  input: z.object({ productId: Id }),
  get: ({ productId }) => productId,
})

/** Several products at once, in the order of their ids: what a page needs that shows an order's lines. */
export const products = query('products', {
  from: ProductPages,
  input: z.object({ productIds: z.array(Id).max(100) }),
  many: ({ productIds }) => productIds,
})

/** The catalogue by title, whole or one category of it. */
export const catalogue = query('catalogue', {
  from: ProductPages,
  input: z.object({ category: z.string().optional(), ...page }),
  list: ({ category, ...page }) =>
    category === undefined
      ? { index: ['title'], ...page }
      : { index: ['category', 'title'], where: { category }, ...page },
})

export const bestSellers = query('best-sellers', {
  from: ProductPages,
  input: z.object({ ...page }),
  list: page => ({ index: ['unitsSold'], order: 'desc', ...page }),
})
