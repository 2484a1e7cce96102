import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { app } from './app.ts'
import type { BifoldError } from './errors.ts'
import { events } from './events.ts'
import { type AnyProjection, projection } from './projection.ts'

const CustomerEvents = events('customer', { CustomerNamed: z.object({ name: z.string() }) })
const Name = z.object({ name: z.string() })
const Names = projection('names', { from: [CustomerEvents], state: Name, on: {} })
const row = z.object({ greeting: z.string() })
const present = () => ({ greeting: '' })
const key = (): string => 'k'

/** A projection of customers with these stages, whatever the compiler would say of them. */
function staged(stages: object, name = 'customers'): AnyProjection {
  return projection(name, { from: [CustomerEvents], state: Name, on: {}, ...stages } as never)
}

function refusal(...projections: readonly AnyProjection[]): BifoldError {
  try {
    app('shop', { projections, events: [CustomerEvents] })
  } catch (error) {
    return error as BifoldError
  }
  throw new Error('it was not refused')
}

describe('the stages of a projection', () => {
  test('rows are made of states where both `row` and `present` are there', () => {
    const { projections } = app('shop', { projections: [staged({ row, present })], events: [CustomerEvents] })
    expect(projections[0]).toMatchObject({ row, state: Name, present })
  })

  test.each([
    ['row without present', { row }, "projection('customers')", '`row` without `present`'],
    ['present without row', { present }, "projection('customers')", '`present` without `row`'],
    ['a present that is no function', { row, present: {} }, "projection('customers').present", 'must be a function'],
    [
      'refs without present',
      { refs: { name: { to: Names, key } } },
      "projection('customers')",
      '`refs` without `present`',
    ],
    [
      'a ref without a key',
      { row, present, refs: { name: { to: Names } } },
      "projection('customers').refs.name.key",
      'must be a function',
    ],
    [
      'a ref to something else',
      { row, present, refs: { name: { to: CustomerEvents, key } } },
      "projection('customers').refs.name",
      'must be a projection',
    ],
  ])('%s is refused, and it says so', (_, stages, place, problem) => {
    const error = refusal(staged(stages), Names)
    expect(error).toMatchObject({ code: 'define/invalid-definition', data: { place } })
    expect(error.message).toContain(problem)
  })

  test('a ref to itself, or back to itself through another, is a cycle', () => {
    const own = refusal(staged({ row, present, refs: { self: { to: staged({}), key } } }))
    expect(own.message).toContain('a cycle: customers → customers')
    const through = staged({ row, present, refs: { back: { to: staged({}), key } } }, 'others')
    const both = refusal(staged({ row, present, refs: { other: { to: through, key } } }), through)
    expect(both.message).toContain('a cycle: customers → others → customers')
  })

  test('a ref to a projection that has refs itself is refused', () => {
    const middle = staged({ row, present, refs: { name: { to: Names, key } } }, 'middle')
    const error = refusal(staged({ row, present, refs: { middle: { to: middle, key } } }), middle, Names)
    expect(error).toMatchObject({ code: 'define/invalid-definition' })
    expect(error.message).toContain("'middle' has refs itself")
  })

  test('a ref to a projection that is not in the app is refused', () => {
    const refs = { name: { to: Names, key } }
    expect(refusal(staged({ row, present, refs }))).toMatchObject({
      code: 'define/unknown-projection',
      data: { place: "projection('customers').refs.name", projection: 'names' },
    })
  })

  test('names of refs are in camelCase', () => {
    const refs = { 'the-name': { to: Names, key } }
    expect(refusal(staged({ row, present, refs }), Names)).toMatchObject({
      code: 'define/invalid-name',
      data: { name: 'the-name' },
    })
  })

  test('columns and indexes are those of the row', () => {
    const indexes = [['greeting']]
    expect(app('shop', { projections: [staged({ row, present, indexes })], events: [CustomerEvents] })).toBeDefined()
    expect(refusal(staged({ row, present, indexes: [['name']] }))).toMatchObject({
      code: 'define/invalid-index',
      data: { column: 'name' },
    })
    const bad = refusal(staged({ row: z.object({ 'a b': z.string() }), present }))
    expect(bad).toMatchObject({ code: 'define/invalid-row', data: { place: "projection('customers').row" } })
    const odd = refusal(staged({ row, present, state: z.string() }))
    expect(odd).toMatchObject({ code: 'define/invalid-row', data: { place: "projection('customers').state" } })
  })

  test.each([
    ['refs that are null', { row, present, refs: null }, "projection('customers').refs"],
    ['a ref that is null', { row, present, refs: { name: null } }, "projection('customers').refs.name.key"],
    ['a rollup that is null', { rollups: { all: null } }, "projection('customers').rollups.all.by"],
  ])('%s are no crash', (_, stages, place) => {
    expect(refusal(staged(stages))).toMatchObject({ code: 'define/invalid-definition', data: { place } })
  })
})

describe('a rollup', () => {
  const Order = z.object({
    status: z.enum(['open', 'paid', 'void']),
    total: z.int(),
    dozens: z.int().min(24).multipleOf(12),
    weight: z.number(),
    volume: z.number().nullable(),
    lines: z.array(z.object({ price: z.number() })),
    paidAt: z.iso.datetime().nullable(),
  })
  type Order = z.output<typeof Order>
  const by = ({ status }: Order) => status
  const summing = (sum: (order: Order) => unknown, group: (order: Order) => string | null = by) =>
    projection('orders', {
      from: [CustomerEvents],
      state: Order,
      on: {},
      rollups: { perStatus: { by: group, sum } },
    } as never)

  test.each<[string, (order: Order) => Record<string, number>]>([
    ['a number that need not be whole', ({ weight }) => ({ orders: 1, total: weight })],
    ['two of them', ({ weight, volume }) => ({ total: weight + (volume ?? 0) })],
    ['those of its parts', ({ lines }) => ({ total: lines.reduce((sum, { price }) => sum + price, 0) })],
    ['a part of an integer', ({ total }) => ({ total: total / 100 })],
    ['for some of its words alone', ({ status, weight }) => ({ total: status === 'void' ? weight : 0 })],
  ])('that sums %s is refused at the start', (_, sum) => {
    expect(refusal(summing(sum))).toMatchObject({
      code: 'define/invalid-definition',
      data: { place: "projection('orders').rollups.perStatus.sum", problem: expect.stringContaining("'total'") },
    })
  })

  test.each<[string, (order: Order) => Record<string, number>, ((order: Order) => string | null)?]>([
    ['an integer', ({ total }) => ({ orders: 1, total })],
    ['a rounded number', ({ weight }) => ({ total: Math.round(weight) })],
    ['a part of an integer that has it whole', ({ dozens }) => ({ total: dozens / 12 })],
    ['what is unknown without real rows', ({ lines }) => ({ total: lines[7]?.price as number })],
    ['what throws without real rows', ({ lines }) => ({ total: (lines[7] as { price: number }).price })],
    ['numbers of rows that are in no group', ({ weight }) => ({ total: weight }), () => null],
  ])('that sums %s is taken', (_, sum, group) => {
    expect(app('shop', { projections: [summing(sum, group)], events: [CustomerEvents] })).toBeDefined()
  })

  test('is taken where no row can be made up', () => {
    type Tree = { readonly name: string; readonly children: readonly Tree[] }
    const Tree: z.ZodType<Tree> = z.object({
      name: z.string(),
      get children() {
        return z.array(Tree)
      },
    })
    const Trees = projection('trees', {
      from: [CustomerEvents],
      state: Tree,
      on: {},
      rollups: { all: { by: ({ name }: Tree) => name, sum: () => ({ weight: 0.5 }) } },
    } as never)
    expect(app('shop', { projections: [Trees], events: [CustomerEvents] })).toBeDefined()
  })
})
