import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { event, events, projection } from '../define/index.ts'
import { definitionHashOf, rowShapeOf } from './definition-hash.ts'
import { plainSource } from './plain-source.ts'

const Sales = events('sale', { Sold: z.object({ by: z.int() }), Returned: z.object({}) })
const state = z.object({ sum: z.int() })
const base = {
  from: [Sales],
  state,
  on: { Sold: (row: { sum: number } | null) => ({ sum: (row?.sum ?? 0) + 2 }) },
} as const

const hashOf = (definition: Partial<Parameters<typeof projection>[1]> = {}, name = 'sums'): string =>
  definitionHashOf(projection(name, { ...base, ...definition } as never))

describe('the hash of a definition', () => {
  test('is pinned: another release of this library must not warn of every projection', () => {
    expect(hashOf({ on: { Sold: () => null } as never })).toBe('24d3c07066bb3da6')
    expect(rowShapeOf(state)).toBe('a33a01e3dd189f92')
  })

  test('changes with a fold, with a key, with the schema of the state', () => {
    const all = [
      hashOf(),
      hashOf({ on: { Sold: (row: { sum: number } | null) => ({ sum: (row?.sum ?? 0) + 1 }) } as never }),
      hashOf({ on: { ...base.on, Returned: () => null } as never }),
      hashOf({ key: { Sold: () => 'all' } as never }),
      hashOf({ key: { Sold: () => 'none' } as never }),
      hashOf({ state: z.object({ sum: z.int().min(0) }) as never }),
    ]
    expect(new Set(all).size).toBe(all.length)
  })

  test('changes with how a folded event is upcast, and with no other event', () => {
    const evolved = (Sold: unknown, Returned: unknown = z.object({})) =>
      hashOf({ from: [events('sale', { Sold, Returned } as never)] as never })
    const sold = z.object({ by: z.int() })
    const upcast = { 1: () => ({ by: 1 }) }
    expect(evolved(event(sold, { schemaVersion: 2, upcast }))).not.toBe(hashOf())
    expect(evolved(event(sold, { schemaVersion: 2, upcast }))).not.toBe(
      evolved(event(sold, { schemaVersion: 2, upcast: { 1: () => ({ by: 2 }) } })),
    )
    expect(evolved(sold, event(z.object({}), { schemaVersion: 2, upcast }))).toBe(hashOf())
  })

  test('stays with the name, the version, the shards, the indexes, and when rows are committed', () => {
    expect(hashOf({ commit: 'with-append' as never })).toBe(hashOf())
    expect(hashOf({ version: 2, shards: 4, indexes: [['sum']] as never }, 'other')).toBe(hashOf())
  })

  test('sees a change in whatever else a definition has', () => {
    expect(hashOf({ present: (row: unknown) => row } as never)).not.toBe(hashOf())
  })
})

describe('the hash of what rows look like', () => {
  test('stays with the order of properties and with remarks', () => {
    const one = z.object({ a: z.string().describe('first'), b: z.enum(['x', 'y']), title: z.string().optional() })
    const other = z.object({ title: z.string().optional(), b: z.enum(['y', 'x']), a: z.string() })
    expect(rowShapeOf(one)).toBe(rowShapeOf(other))
  })

  test('changes with a column, a type, a value that may be, and what may be missing', () => {
    const shapes = [
      z.object({ a: z.string() }),
      z.object({ b: z.string() }),
      z.object({ a: z.int() }),
      z.object({ a: z.enum(['x']) }),
      z.object({ a: z.enum(['x', 'y']) }),
      z.object({ a: z.literal('z') }),
      z.object({ a: z.string().optional() }),
      z.object({ a: z.string(), title: z.string() }),
      z.object({ a: z.string(), description: z.string() }),
    ]
    expect(new Set(shapes.map(shape => rowShapeOf(shape))).size).toBe(shapes.length)
  })
})

describe('a plain source', () => {
  const same: [string, string][] = [
    ['a=>a+1', '(a) => a + 1'],
    ['f(a,b)', 'f(\n  a,\n  b,\n)'],
    ["x => x === 'it\\'s'", 'x=>x=== "it\'s"'],
    ['{ a(); b() }', '{\n  a();\n  // then\n  b(); /* done */\n}'],
    ['async x => `${x . y}`', 'async (x) => `${x.y}`'],
  ]
  test.each(same)('is the same for %j and %j', (a, b) => {
    expect(plainSource(a)).toBe(plainSource(b))
  })

  const different: [string, string][] = [
    ["'a b'", "'ab'"],
    ["'// a'", "'// b'"],
    ['`a  b`', '`a b`'],
    ['`${a} }`', '`${a}}`'],
    ['/a b/.test(x)', '/ab/.test(x)'],
    ['x / a / b', 'x /a/b.c'],
    ["return /'/.test(a) // x", "return /'/.test(b) // x"],
    ['for(a;;){}', 'for(;a;){}'],
    ['a++ + b', 'a + ++b'],
    ['typeof x', 'typeofx'],
  ]
  test.each(different)('differs for %j and %j', (a, b) => {
    expect(plainSource(a)).not.toBe(plainSource(b))
  })

  test('ends for a text that is no source', () => {
    expect(plainSource('function now() { [native code] }')).toBe('function now ( ) { [ native code ] }')
    for (const text of ["` ${ '", '`', '`${', '}', "'", '/[', '/*']) expect(plainSource(text)).toBeTypeOf('string')
  })
})
