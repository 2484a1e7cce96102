import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { aggregate } from './aggregate.ts'
import { type App, app } from './app.ts'
import { type BifoldError, type ErrorCode, isError } from './errors.ts'
import { event, events } from './events.ts'
import { projection } from './projection.ts'
import { query } from './query.ts'

const Placed = z.object({ total: z.int(), note: z.string().nullable(), tags: z.array(z.string()) })
const OrderEvents = events('order', { OrderPlaced: Placed, OrderPaid: z.object({}) })
const Order = aggregate(OrderEvents, {
  initial: () => ({}),
  evolve: { OrderPlaced: order => order, OrderPaid: order => order },
  commands: { PayOrder: { input: z.object({}), decide: () => [] } },
})
const Orders = projection('orders', {
  from: [OrderEvents],
  state: Placed,
  on: { OrderPlaced: (_, { data }) => data },
  indexes: [['total']],
})
const orderById = query('order-by-id', { from: Orders, input: z.object({ id: z.string() }), get: ({ id }) => id })

function refusal(make: () => App): BifoldError {
  try {
    make()
  } catch (error) {
    return error as BifoldError
  }
  throw new Error('it was not refused')
}

/** The app is refused with this code, in a message that begins with the place. */
function refused(make: () => App, code: ErrorCode, place: string): BifoldError {
  const error = refusal(make)
  expect(error.code).toBe(code)
  expect(error.message.slice(0, place.length + 1)).toMatch(new RegExp(`^${place.replace(/[.()]/g, '\\$&')}[:,]$`))
  expect(isError(error, code)).toBe(true)
  return error
}

test('a sound app is taken as it is', () => {
  const shop = app('shop', { aggregates: [Order], projections: [Orders], queries: [orderById] })
  expect(shop).toMatchObject({ kind: 'app', name: 'shop', aggregates: [Order], projections: [Orders] })
  expect(app('nothing', {}).contracts).toEqual([])
})

describe('what JavaScript does not check', () => {
  const invalid = 'define/invalid-definition'
  const untyped = (definition: object): never => definition as never

  test('a command without an input or a decision is refused, naming it', () => {
    const deciding = (command: object) => () =>
      app('shop', { aggregates: [untyped({ ...Order, commands: { PayOrder: command } })] })
    refused(deciding({ decide: () => [] }), invalid, "aggregate('order').commands.PayOrder.input")
    refused(deciding({ input: z.object({}) }), invalid, "aggregate('order').commands.PayOrder.decide")
  })

  test('an initial state that is no function is refused, and so is a snapshot policy that is none', () => {
    const aggregates = (more: object) => () => app('shop', { aggregates: [untyped({ ...Order, ...more })] })
    refused(aggregates({ initial: {} }), invalid, "aggregate('order').initial")
    refused(aggregates({ snapshot: null }), invalid, "aggregate('order').snapshot")
    refused(aggregates({ snapshot: 100 }), invalid, "aggregate('order').snapshot")
  })

  test('an event without a schema is refused, naming it', () => {
    const Bare = untyped({ ...OrderEvents, types: { OrderPaid: { ...OrderEvents.types.OrderPaid, schema: 5 } } })
    refused(() => app('shop', { events: [Bare] }), invalid, "events('order').OrderPaid")
  })

  test('a fold that is no function is refused, naming it', () => {
    const Folding = untyped({ ...Orders, on: { OrderPlaced: 5 } })
    refused(
      () => app('shop', { aggregates: [Order], projections: [Folding] }),
      invalid,
      "projection('orders').on.OrderPlaced",
    )
  })
})

describe('snapshots', () => {
  const kept = (snapshot: { every: number; version?: number }, initial: () => unknown = () => ({})) => {
    const aggregates = [{ ...Order, initial, snapshot }]
    return app('shop', { aggregates })
  }

  test.each([{ every: 1 }, { every: 100, version: 2 }])('can be kept by the policy %j', snapshot => {
    expect(kept(snapshot).aggregates[0]?.snapshot).toEqual(snapshot)
  })

  test.each([{ every: 0 }, { every: 1.5 }, { every: 2 ** 31 }, { every: 1, version: 0 }])(
    'cannot be kept by the policy %j',
    snapshot => {
      refused(() => kept(snapshot), 'define/invalid-definition', "aggregate('order').snapshot")
    },
  )

  test('cannot be kept of a state that JSON does not give back as it was', () => {
    const error = refused(
      () => kept({ every: 1 }, () => ({ at: new Map() })),
      'define/invalid-definition',
      "aggregate('order').snapshot",
    )
    expect(error.message).toContain('at at it is no plain object')
  })
})

describe('names', () => {
  test.each(['Shop', 'my_shop', '', '-shop', 'shop-', 'my--shop', '1shop', 'x'.repeat(49)])(
    'the app cannot be called %j',
    name => {
      refused(() => app(name, {}), 'define/invalid-name', `app('${name}')`)
    },
  )

  test.each(['shop', 'my-shop', 'shop-2', 'x'.repeat(48)])('the app can be called %j', name => {
    expect(app(name, {}).name).toBe(name)
  })

  test('a contract is named in kebab-case, its events in PascalCase', () => {
    refused(
      () => app('shop', { events: [events('Order', { OrderMade: Placed })] }),
      'define/invalid-name',
      "events('Order')",
    )
    for (const type of ['orderPlaced', 'order-placed', 'Order_Placed', `O${'x'.repeat(64)}`]) {
      const contract = events('order', { [type]: Placed })
      refused(() => app('shop', { events: [contract] }), 'define/invalid-name', "events('order')")
    }
  })

  test('commands are named in PascalCase, projections and queries in kebab-case', () => {
    const definition = { initial: () => ({}), evolve: {} }
    const lower = aggregate(events('cart', {}), {
      ...definition,
      commands: { addItem: { input: z.object({}), decide: () => [] } },
    })
    refused(() => app('shop', { aggregates: [lower] }), 'define/invalid-name', "aggregate('cart').commands")
    const upper = projection('Orders', { from: [], state: Placed, on: {} })
    refused(() => app('shop', { projections: [upper] }), 'define/invalid-name', "projection('Orders')")
    const q = query('orderById', { from: Orders, input: z.object({}), get: () => 'o-1' })
    refused(
      () => app('shop', { aggregates: [Order], projections: [Orders], queries: [q] }),
      'define/invalid-name',
      "query('orderById')",
    )
  })

  test('nothing has the name of another', () => {
    const again = events('order', {})
    refused(() => app('shop', { events: [OrderEvents, again] }), 'define/duplicate-name', "events('order')")
    const twice = aggregate(OrderEvents, { initial: () => ({}), evolve: Order.evolve, commands: {} })
    refused(() => app('shop', { aggregates: [Order, twice] }), 'define/duplicate-name', "aggregate('order')")
    refused(
      () => app('shop', { aggregates: [Order], projections: [Orders, Orders] }),
      'define/duplicate-name',
      "projection('orders')",
    )
    refused(
      () => app('shop', { aggregates: [Order], projections: [Orders], queries: [orderById, orderById] }),
      'define/duplicate-name',
      "query('order-by-id')",
    )
  })

  test('an event has one name in the whole app', () => {
    const other = events('invoice', { OrderPaid: z.object({}) })
    const error = refused(
      () => app('shop', { events: [OrderEvents, other] }),
      'define/duplicate-name',
      "events('invoice')",
    )
    expect(error.data).toMatchObject({ name: 'OrderPaid' })
  })
})

describe('events with a history', () => {
  const withVersions = (schemaVersion: number, upcast: Record<number, (data: unknown) => unknown>) => () =>
    app('shop', { events: [events('order', { OrderPlaced: event(Placed, { schemaVersion, upcast }) })] })
  const same = (data: unknown): unknown => data

  test('a chain of upcasts from the first version is taken', () => {
    expect(withVersions(3, { 1: same, 2: same })().eventTypes.get('OrderPlaced')?.schemaVersion).toBe(3)
  })

  test.each([
    [0, {}],
    [1.5, {}],
    [-1, {}],
    [2, {}],
    [3, { 1: same }],
    [3, { 2: same }],
    [1, { 1: same }],
    [2, { 1: same, 0: same }],
    [2, { 1: same, 2: same }],
  ])('version %s with %o is refused', (schemaVersion, upcast) => {
    refused(withVersions(schemaVersion, upcast), 'define/invalid-upcast', "events('order').OrderPlaced")
  })
})

describe('aggregates', () => {
  test('an event without evolve is refused', () => {
    const evolve = { OrderPlaced: (order: object) => order } as unknown as (typeof Order)['evolve']
    const partial = aggregate(OrderEvents, { initial: () => ({}), evolve, commands: {} })
    const error = refused(() => app('shop', { aggregates: [partial] }), 'define/unhandled-event', "aggregate('order')")
    expect(error.data).toMatchObject({ type: 'OrderPaid' })
  })

  test('an evolve for an event that is not of the contract is refused', () => {
    const evolve = { ...Order.evolve, OrderLost: (order: object) => order }
    const excess = aggregate(OrderEvents, { initial: () => ({}), evolve, commands: {} })
    refused(() => app('shop', { aggregates: [excess] }), 'define/unknown-event', "aggregate('order').evolve")
  })
})

describe('projections', () => {
  const projecting = (parts: object) => () =>
    app('shop', {
      aggregates: [Order],
      projections: [projection('orders', { from: [OrderEvents], state: Placed, on: {}, ...parts })],
    })

  test('of a contract that nobody in the app knows are refused', () => {
    const error = refused(
      () => app('shop', { projections: [Orders] }),
      'define/unknown-contract',
      "projection('orders').from",
    )
    expect(error.data).toMatchObject({ category: 'order' })
    expect(app('shop', { events: [OrderEvents], projections: [Orders] }).contracts).toEqual([OrderEvents])
  })

  test.each([0, -1, 1.5, Number.NaN, 65])('have no %s shards', shards => {
    refused(projecting({ shards }), 'define/invalid-definition', "projection('orders')")
  })

  test.each([0, -1, 1.5, Number.NaN])('have no version %s', version => {
    refused(projecting({ version }), 'define/invalid-definition', "projection('orders')")
  })

  test('fold no event that is not in their contracts', () => {
    refused(projecting({ on: { OrderLost: () => null } }), 'define/unknown-event', "projection('orders').on")
    refused(projecting({ key: { OrderLost: () => null } }), 'define/unknown-event', "projection('orders').key")
  })

  test('with keys of their own give one for each event that they fold', () => {
    const on = { OrderPlaced: () => null, OrderPaid: () => null }
    const key = { OrderPlaced: () => 'a' }
    const error = refused(projecting({ on, key }), 'define/invalid-definition', "projection('orders').key")
    expect(error.message).toContain('OrderPaid')
    expect(projecting({ on, key: { ...key, OrderPaid: () => null } })().projections).toHaveLength(1)
  })

  test.each([
    ["the key 'stream'", { key: { OrderPlaced: () => 'a' }, on: { OrderPlaced: () => null } }],
    ['one shard', { shards: 2 }],
    ['no refs', { refs: { same: { to: Orders, key: () => null } }, row: Placed.extend({}), present: () => null }],
    ['a batch projection', { batch: { store: 'postgres', tables: {}, handle: async () => undefined } }],
    ['after-append', { commit: 'before-append' }],
  ])('that are committed with the append have %s, or are refused', (rule, parts) => {
    const given = { commit: 'with-append', ...parts }
    const error = refused(projecting(given), 'define/invalid-definition', "projection('orders').commit")
    expect(error.message).toContain(rule)
  })

  test('may be committed with the append, made of states and with sums', () => {
    const row = z.object({ total: z.int() })
    const stages = { row, present: ({ total }: { total: number }) => ({ total }), rollups: {} }
    expect(projecting({ commit: 'with-append', ...stages })().projections).toMatchObject([{ commit: 'with-append' }])
    expect(projecting({})().projections).toMatchObject([{ commit: 'after-append' }])
  })

  test('whose rows have no columns are refused, naming the column', () => {
    const state = z.object({ at: z.iso.datetime(), any: z.unknown() })
    const error = refused(projecting({ state }), 'define/invalid-row', `projection('orders').state`)
    expect(error.message).toContain('column "any"')
    refused(projecting({ state: z.string() }), 'define/invalid-row', "projection('orders').state")
  })

  test.each(['total amount', '1st', '_hidden', 'größe', 'x'.repeat(64), 'a"b'])('have no column %j', name => {
    refused(projecting({ state: z.object({ [name]: z.int() }) }), 'define/invalid-row', "projection('orders').state")
  })

  test.each([
    ['without a column', []],
    ['on a column twice', ['total', 'total']],
    ['on a column that is not there', ['sum']],
    ['on a column that may be null', ['note']],
    ['on an array', ['total', 'tags']],
  ])('have no index %s', (_, index) => {
    refused(projecting({ indexes: [['total'], index] }), 'define/invalid-index', "projection('orders')")
  })
})

test('a query of a projection that is not in the app is refused', () => {
  const error = refused(
    () => app('shop', { aggregates: [Order], queries: [orderById] }),
    'define/unknown-projection',
    "query('order-by-id')",
  )
  expect(error.data).toMatchObject({ projection: 'orders' })
})
