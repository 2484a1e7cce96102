import { aggregate, events } from 'bifold'
import { z } from 'zod'
import { Moment, Money, momentOf } from './values.ts'

// Types

const Title = z.string().min(1).max(200)
const Category = z.string().min(1).max(64)

// Events

export const ProductEvents = events('product', {
  ProductAdded: z.object({ title: Title, category: Category, price: Money, at: Moment }),
  PriceChanged: z.object({ price: Money, at: Moment }),
})

// State and evolve

type ProductState = { readonly price: number }

const initial = (): ProductState => ({ price: 0 })

// Decisions and wiring

export const Product = aggregate(ProductEvents, {
  initial,
  evolve: {
    ProductAdded: (_, { data }) => ({ price: data.price }),
    PriceChanged: (_, { data }) => ({ price: data.price }),
  },
  commands: {
    AddProduct: {
      stream: 'new',
      input: z.object({ title: Title, category: Category, price: Money, at: Moment.optional() }),
      decide: (_, { at, ...product }, context) => [
        ProductEvents.ProductAdded({ ...product, at: momentOf(at, context) }),
      ],
    },
    ChangePrice: {
      stream: 'existing',
      input: z.object({ price: Money, at: Moment.optional() }),
      decide: (product, { price, at }, context) =>
        price === product.price ? [] : [ProductEvents.PriceChanged({ price, at: momentOf(at, context) })],
    },
  },
  // Prices change for as long as a product is sold: what came before need not be read again.
  snapshot: { every: 100 },
})
