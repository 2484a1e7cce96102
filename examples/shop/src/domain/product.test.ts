import type { DecisionContext } from 'bifold'
import { expect, test } from 'vitest'
import { Product, ProductEvents } from './product.ts'

const now = '2026-11-21T10:00:00.000Z'
const context: DecisionContext = { tenant: 'default', streamId: 'mug', version: 1, now }
const { AddProduct, ChangePrice } = Product.commands

test('a product is added once: its stream must be new', () => {
  const mug = { title: 'Mug', category: 'kitchen', price: 1_500 }
  expect(AddProduct.stream).toBe('new')
  expect(AddProduct.decide(Product.initial(), mug, context)).toEqual([ProductEvents.ProductAdded({ ...mug, at: now })])
})

test('a new price is a change', () => {
  expect(ChangePrice.decide({ price: 1_500 }, { price: 1_700 }, context)).toEqual([
    ProductEvents.PriceChanged({ price: 1_700, at: now }),
  ])
})

test('the same price again changes nothing', () => {
  expect(ChangePrice.decide({ price: 1_500 }, { price: 1_500 }, context)).toEqual([])
})
