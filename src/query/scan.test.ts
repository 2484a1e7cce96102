import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { columnsOf, events, type ListRequest, projection } from '../define/index.ts'
import { readCursor, writeCursor } from './cursor.ts'
import { type ScanTarget, scanOf } from './scan.ts'

const Things = projection('things', {
  from: [events('thing', { ThingMade: z.object({}) })],
  state: z.object({
    kind: z.string(),
    count: z.int(),
    at: z.iso.datetime({ offset: true }),
    on: z.boolean(),
    size: z.number(),
  }),
  on: {},
  indexes: [
    ['kind', 'count', 'at'],
    ['on', 'size'],
  ],
})
const derived = columnsOf(Things.state)
const target: ScanTarget = {
  query: 'things-by',
  projection: Things,
  columns: 'columns' in derived ? derived.columns : [],
}

type Request = ListRequest<Record<string, unknown>>
const index = ['kind', 'count', 'at']
const scan = (request: Partial<Request>) => scanOf(target, 't', { index, ...request } as Request)
const problemWith = (request: Record<string, unknown>): { code?: string; data?: unknown } => {
  try {
    scan(request as Partial<Request>)
  } catch (error) {
    return error as { code: string; data: unknown }
  }
  return {}
}

describe('a request becomes a scan', () => {
  test.each([
    ['nothing', {}, [], {}],
    ['a column that is undefined', { kind: undefined }, [], {}],
    ['an empty range', { kind: 'a', count: {} }, ['a'], {}],
    ['a range of undefined bounds', { kind: 'a', count: { gte: undefined } }, ['a'], {}],
    ['equality', { kind: 'a', count: 0 }, ['a', 0], {}],
    ['equality on all', { kind: 'a', count: 1, at: '2026-01-01T00:00:00Z' }, ['a', 1, '2026-01-01T00:00:00Z'], {}],
    ['a range', { kind: { gte: 'a', lt: 'b' } }, [], { gte: 'a', lt: 'b' }],
    ['equality, then a range', { kind: 'a', count: { gt: 1, lte: 2 } }, ['a'], { gt: 1, lte: 2 }],
  ])('%s', (_, where, equal, range) => {
    expect(scan({ where })).toEqual({ tenant: 't', index, equal, range, order: 'asc', limit: 51 })
  })

  test('with one row more than asked for, which tells whether there is more', () => {
    expect(scan({ limit: 1000 }).limit).toBe(1001)
  })
})

describe('what no index answers is refused', () => {
  test.each<[string, Record<string, unknown>]>([
    ['an index that is not declared', { index: ['kind', 'at'] }],
    ['a part of an index', { index: ['kind'] }],
    ['no index', { index: [] }],
    ['a gap', { where: { count: 1 } }],
    ['a gap before the last', { where: { kind: 'a', at: '2026-01-01T00:00:00Z' } }],
    ['something behind a range', { where: { kind: { gt: 'a' }, count: 1 } }],
    ['a range behind a range', { where: { kind: { gt: 'a' }, count: { gt: 1 } } }],
    ['a column that is not in the index', { where: { on: true } }],
    ['a bound that does not exist', { where: { kind: { above: 'a' } } }],
    ['two lower bounds', { where: { kind: { gt: 'a', gte: 'a' } } }],
    ['two upper bounds', { where: { kind: { lt: 'a', lte: 'a' } } }],
    ['null', { where: { kind: null } }],
    ['a number for text', { where: { kind: 1 } }],
    ['text with a NUL', { where: { kind: 'a\u0000' } }],
    ['text with half a surrogate pair', { where: { kind: '\ud800' } }],
    ['text for an integer', { where: { kind: 'a', count: '1' } }],
    ['an integer that is not safe', { where: { kind: 'a', count: 2 ** 53 } }],
    ['a fraction for an integer', { where: { kind: 'a', count: 1.5 } }],
    ['a time without an offset', { where: { kind: 'a', count: 1, at: '2026-01-01T00:00:00' } }],
    ['text for a boolean', { index: ['on', 'size'], where: { on: 'true' } }],
    ['no number for a double', { index: ['on', 'size'], where: { on: true, size: Number.NaN } }],
    ['an order that does not exist', { order: 'up' }],
    ['no rows', { limit: 0 }],
    ['too many rows', { limit: 1001 }],
    ['half a row', { limit: 1.5 }],
  ])('%s', (_, request) => {
    expect(problemWith(request)).toMatchObject({ code: 'query/invalid-request', data: { query: 'things-by' } })
  })
})

describe('a cursor', () => {
  const start = { key: 'k', values: ['a', 1, '2026-01-01T00:00:00Z'] }
  const request = { where: { kind: 'a', count: { gte: 1 } }, order: 'desc' } as const
  const cursor = writeCursor(target.query, scan(request), start)

  test('goes on with the request that it came from, whatever the limit', () => {
    expect(scan({ ...request, limit: 3, cursor }).after).toEqual(start)
  })

  test.each<[string, Record<string, unknown>]>([
    ['another bound', { ...request, where: { kind: 'a', count: { gte: 2 } } }],
    ['another kind of bound', { ...request, where: { kind: 'a', count: { gt: 1 } } }],
    ['another value', { ...request, where: { kind: 'b', count: { gte: 1 } } }],
    ['another order', { ...request, order: 'asc' }],
    ['another index', { index: ['on', 'size'] }],
  ])('of %s is refused', (_, other) => {
    expect(problemWith({ ...other, cursor }).code).toBe('query/invalid-cursor')
  })

  test('of another query or another tenant is refused', () => {
    expect(readCursor('other', scan(request), cursor)).toBeUndefined()
    expect(readCursor(target.query, { ...scan(request), tenant: 'other' }, cursor)).toBeUndefined()
  })

  test.each([
    ['nothing', ''],
    ['what is no base64', '%%%'],
    ['what is no JSON', Buffer.from('[1').toString('base64url')],
    ['what is no list', Buffer.from('{"0":1}').toString('base64url')],
    ['too few values', writeCursor(target.query, scan(request), { key: 'k', values: ['a'] })],
    ['values of other types', writeCursor(target.query, scan(request), { key: 'k', values: ['a', 'b', 'c'] })],
    ['nested values', writeCursor(target.query, scan(request), { key: 'k', values: ['a', {} as string, 'c'] })],
  ])('made of %s is refused', (_, made) => {
    expect(problemWith({ ...request, cursor: made }).code).toBe('query/invalid-cursor')
  })
})
