import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { aggregate } from './aggregate.ts'
import { app, typesOf } from './app.ts'
import { isError } from './errors.ts'
import { event, events } from './events.ts'
import { projection } from './projection.ts'
import { query } from './query.ts'
import { reject } from './reject.ts'
import { check, jsonSchemaOf, type Schema } from './schema.ts'

const Placed = z.object({ total: z.int() })

describe('a contract', () => {
  test('makes its events as plain data', () => {
    const OrderEvents = events('order', { OrderPlaced: Placed })
    expect(OrderEvents.OrderPlaced({ total: 3 })).toEqual({
      category: 'order',
      type: 'OrderPlaced',
      data: { total: 3 },
    })
  })

  test('knows of each event its schema, in version 1, without tags', () => {
    const { OrderPlaced } = events('order', { OrderPlaced: Placed }).types
    expect(OrderPlaced).toMatchObject({ category: 'order', type: 'OrderPlaced', schemaVersion: 1, upcast: {} })
    expect(OrderPlaced.schema).toBe(Placed)
    expect(OrderPlaced.tags({ total: 3 })).toEqual([])
  })

  test('knows the versions and tags of an event that says them', () => {
    const upcast = { 1: (data: { sum: number }) => ({ total: data.sum }) }
    const { OrderPlaced } = events('order', {
      OrderPlaced: event(Placed, { schemaVersion: 2, upcast, tags: ({ total }) => [`total:${total}`] }),
    }).types
    expect(OrderPlaced.schemaVersion).toBe(2)
    expect(OrderPlaced.upcast[1]?.({ sum: 3 })).toEqual({ total: 3 })
    expect(OrderPlaced.tags({ total: 3 })).toEqual(['total:3'])
    expect(check(OrderPlaced.schema, { total: 3 })).toEqual({ value: { total: 3 } })
  })

  test('may have an event that is named as one of its own fields', () => {
    expect(Object.keys(events('order', { Order: Placed }).types)).toEqual(['Order'])
  })
})

describe('definitions', () => {
  test('keep what they were given, with the defaults said', () => {
    const OrderEvents = events('order', { OrderPlaced: Placed })
    const definition = projection('orders', { from: [OrderEvents], state: Placed, on: {} })
    expect(definition).toEqual({
      kind: 'projection',
      commit: 'after-append',
      name: 'orders',
      from: [OrderEvents],
      state: Placed,
      row: Placed,
      refs: {},
      rollups: {},
      on: {},
      key: 'stream',
      indexes: [],
      version: 1,
      shards: 1,
    })
    const input = z.object({ id: z.string() })
    const byId = query('order-by-id', { from: definition, input, get: ({ id }) => id })
    expect(byId).toMatchObject({ kind: 'query', name: 'order-by-id', from: definition, ask: { verb: 'get' } })
    expect(query('some', { from: definition, input, many: ({ id }) => [id] }).ask.verb).toBe('many')
    expect(query('all', { from: definition, input, list: () => ({ index: ['total'] }) }).ask.verb).toBe('list')
  })

  test('a query without a verb, or with two, is refused', () => {
    const from = projection('orders', { from: [], state: Placed, on: {} })
    const input = z.object({})
    const wrong = "query('q'): it needs one of `get`, `many` and `list`, and only one."
    // @ts-expect-error the compiler says so too
    expect(() => query('q', { from, input })).toThrow(wrong)
    expect(() => query('q', { from, input, get: () => 'a', many: () => ['a'] })).toThrow(wrong)
  })

  test('a rejection is plain data, with details only where there are some', () => {
    expect(reject('too-late', 'It is too late')).toEqual({
      kind: 'rejection',
      reason: 'too-late',
      message: 'It is too late',
    })
    expect(reject('too-late', 'It is too late', { by: 2 })).toMatchObject({ details: { by: 2 } })
  })

  test('an app knows every event by its name, those of foreign contracts too', () => {
    const OrderEvents = events('order', { OrderPlaced: Placed })
    const StockEvents = events('stock', { StockCounted: Placed })
    const Order = aggregate(OrderEvents, { initial: () => 0 as number, evolve: { OrderPlaced: n => n }, commands: {} })
    const shop = app('shop', { aggregates: [Order], events: [StockEvents, OrderEvents] })
    expect([...shop.eventTypes.keys()]).toEqual(['OrderPlaced', 'StockCounted'])
    expect(shop.contracts).toEqual([OrderEvents, StockEvents])
    expect(typesOf([StockEvents]).get('StockCounted')?.category).toBe('stock')
  })
})

describe('a schema', () => {
  test('gives issues with a path and without the value', () => {
    const { issues } = check(z.object({ lines: z.array(z.object({ quantity: z.int() })) }), {
      lines: [{ quantity: 1 }, { quantity: 'secret' }],
    })
    expect(issues).toEqual([{ path: 'lines.1.quantity', message: expect.any(String) }])
    expect(JSON.stringify(issues)).not.toContain('secret')
  })

  test('that names its segments as objects is understood', () => {
    const schema: Schema<unknown> = {
      '~standard': {
        version: 1,
        vendor: 'by-hand',
        validate: () => ({ issues: [{ message: 'no', path: [{ key: 'a' }, 0] }, { message: 'nowhere' }] }),
      },
    }
    expect(check(schema, 1).issues).toEqual([
      { path: 'a.0', message: 'no' },
      { path: '', message: 'nowhere' },
    ])
  })

  test('that validates asynchronously is an issue, also when it would refuse', () => {
    const late = z.string().refine(() => Promise.reject(new Error('late')))
    const schema: Schema<string> = {
      '~standard': { ...late['~standard'], validate: value => Promise.reject(new Error(String(value))) },
    }
    expect(check(schema, 'x').issues).toEqual([{ path: '', message: expect.stringContaining('synchronous') }])
  })

  test('that cannot say its JSON Schema has none', () => {
    expect(jsonSchemaOf(z.object({ at: z.date() }), 'output')).toBeUndefined()
    expect(jsonSchemaOf(z.string(), 'input')).toMatchObject({ type: 'string' })
  })
})

test('an error is known by its code, whichever copy of the package threw it', () => {
  expect(isError(Object.assign(new Error('…'), { code: 'log/closed' }), 'log/closed')).toBe(true)
  expect(isError(Object.assign(new Error('…'), { code: 'log/closed' }), 'log/rewound')).toBe(false)
  expect(isError('log/closed', 'log/closed')).toBe(false)
  expect(isError(undefined, 'log/closed')).toBe(false)
})
