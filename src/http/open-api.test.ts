import { Validator } from '@seriousme/openapi-schema-validator'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { aggregate, app, events, projection, query } from '../define/index.ts'
import { openApiOf } from './open-api.ts'
import { visibleCodes } from './status-of.ts'

const Money = z.int().min(0).meta({ id: 'Money' })
const Comment = z.object({
  text: z.string(),
  get replies() {
    return z.array(Comment)
  },
})

// The names are chosen to collide wherever a document could let them.
const Contract = events('order', {
  Event: z.object({ total: Money, fee: Money }),
  Problem: z.object({}),
})
interface Total {
  readonly total: number
}
const Order = aggregate(Contract, {
  initial: (): Total => ({ total: 0 }),
  evolve: { Event: (_, { data }) => ({ total: data.total }), Problem: order => order },
  commands: {
    Event: { input: z.object({ total: Money, comment: Comment }), decide: () => [] },
    Input: { input: z.object({}), decide: () => [] },
  },
})
const Rows = projection('order', {
  from: [Contract],
  state: z.object({ total: z.int(), note: z.string().nullable() }),
  on: { Event: (_, { data }) => ({ total: data.total, note: null }) },
  indexes: [['total']],
})
const queries = [
  query('order', { from: Rows, input: z.object({ id: z.string() }), get: ({ id }) => id }),
  query('live', { from: Rows, input: z.object({ ids: z.array(z.string()) }), many: ({ ids }) => ids }),
  query('listed', {
    from: Rows,
    input: z.object({
      cheap: z.boolean().optional(),
      range: z.object({ gt: Money }).optional(),
      limit: z.int().default(10),
    }),
    list: ({ limit }) => ({ index: ['total'], limit }),
  }),
  query('extra', { from: Rows, input: z.looseObject({ id: z.string() }), get: ({ id }) => id }),
]
const shop = app('shop', { aggregates: [Order], projections: [Rows], queries })
const document = openApiOf(shop)

/** The value at a JSON pointer, following none of its references. */
function at(pointer: string): unknown {
  const steps = pointer.split('/').slice(1)
  return steps
    .map(step => step.replaceAll('~1', '/').replaceAll('~0', '~'))
    .reduce<unknown>((value, step) => (value as Record<string, unknown> | undefined)?.[step], document)
}

const named = (pointer: string) => at(pointer) as readonly { readonly name: string }[]

function refsIn(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([key, inner]) => (key === '$ref' ? [inner as string] : refsIn(inner)))
}

test('the document is valid OpenAPI 3.1', async () => {
  const result = await new Validator().validate(structuredClone(document))
  expect(result.errors).toBeUndefined()
  expect(result.valid).toBe(true)
})

test('every reference leads to something', () => {
  const refs = refsIn(document)
  expect(refs.length).toBeGreaterThan(10)
  for (const ref of refs) expect(at(ref), ref).toBeDefined()
})

test('no two operations share an id', () => {
  const ids = Object.values(document['paths'] as Record<string, Record<string, { operationId: string }>>).flatMap(
    path => Object.values(path).map(({ operationId }) => operationId),
  )
  expect(new Set(ids).size).toBe(ids.length)
})

describe('a command', () => {
  const operation = '#/paths/~1commands~1order~1{streamId}~1Event/post'

  test('has its input as body, and its headers', () => {
    expect(at(`${operation}/requestBody/content/application~1json/schema`)).toEqual({
      $ref: '#/components/schemas/order.Event.Input',
    })
    expect(named(`${operation}/parameters`).map(({ name }) => name)).toEqual([
      'streamId',
      'Idempotency-Key',
      'If-Match',
      'If-None-Match',
      'Bifold-Tenant',
      'Bifold-Correlation-Id',
      'Bifold-Causation-Id',
      'traceparent',
    ])
  })

  test('answers the events of its aggregate', () => {
    const schema = `${operation}/responses/200/content/application~1json/schema`
    expect(at(`${schema}/properties/events/items`)).toEqual({ $ref: '#/components/schemas/order.Event' })
    expect(at('#/components/schemas/order.Event/oneOf')).toEqual([
      { $ref: '#/components/schemas/Event.Event' },
      { $ref: '#/components/schemas/Event.Problem' },
    ])
  })

  test('can have a recursive input', () => {
    const refs = refsIn(at('#/components/schemas/order.Event.Input'))
    expect(refs.every(ref => ref.startsWith('#/components/schemas/order.Event.Input'))).toBe(true)
  })
})

describe('a query', () => {
  const parameter = (path: string, name: string) =>
    named(`#/paths/~1queries~1${path}/get/parameters`).find(candidate => candidate.name === name)
  const answer = (path: string) => at(`#/paths/~1queries~1${path}/get/responses/200/content/application~1json/schema`)

  test('has each property of its input as a parameter', () => {
    expect(parameter('order', 'id')).toMatchObject({ in: 'query', required: true, schema: { type: 'string' } })
    expect(parameter('live', 'ids')).toMatchObject({ required: true, style: 'form', explode: true })
    expect(parameter('listed', 'cheap')).toMatchObject({ required: false, schema: { type: 'boolean' } })
    expect(parameter('listed', 'limit')).toMatchObject({ required: false, schema: { type: 'integer', default: 10 } })
  })

  test('carries what is nested as JSON', () => {
    expect(parameter('listed', 'range')).toHaveProperty('content.application/json.schema.properties.gt')
  })

  test('may take parameters that have no name', () => {
    expect(parameter('extra', '*')).toMatchObject({ schema: { type: 'object' } })
    expect(parameter('order', '*')).toBeUndefined()
  })

  test('answers a row, rows in the order of keys, or rows with a cursor', () => {
    const row = { $ref: '#/components/schemas/order.Row' }
    expect(answer('order')).toEqual(row)
    expect(answer('live')).toEqual({ type: 'array', items: { anyOf: [row, { type: 'null' }] } })
    expect(answer('listed')).toMatchObject({ properties: { rows: { items: row }, next: { type: ['string', 'null'] } } })
  })
})

test('a problem can have every code that an answer carries', () => {
  expect(at('#/components/schemas/Problem/properties/code/enum')).toEqual(visibleCodes)
})

test('one side can be described alone', () => {
  const paths = (options: { commands?: boolean; queries?: boolean }) =>
    Object.keys(openApiOf(shop, options)['paths'] as object)
  expect(paths({ queries: false }).some(path => path.startsWith('/queries'))).toBe(false)
  expect(paths({ commands: false }).some(path => path.startsWith('/commands'))).toBe(false)
})
