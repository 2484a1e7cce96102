import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { jsonSchemaOf } from '../define/index.ts'
import { inputReader, parametersOf } from './parameters.ts'

const schemaOf = (schema: z.ZodType) => jsonSchemaOf(schema, 'input') ?? {}
const readerOf = (schema: z.ZodType) => inputReader(parametersOf(schemaOf(schema), `query('q')`))
const parse = (text: string) => {
  const parsed: Record<string, string | string[]> = Object.create(null)
  for (const [name, value] of new URLSearchParams(text)) {
    const before = parsed[name]
    parsed[name] = before === undefined ? value : [...(Array.isArray(before) ? before : [before]), value]
  }
  return parsed
}

function read(schema: z.ZodType, text: string): unknown {
  const input = readerOf(schema)(parse(text))
  return input.issues ?? input.value
}

describe('a query string is read by the schema of the input', () => {
  test.each([
    [z.object({ n: z.int() }), 'n=-12', { n: -12 }],
    [z.object({ n: z.number() }), 'n=1.5e3', { n: 1500 }],
    [z.object({ b: z.boolean() }), 'b=false', { b: false }],
    [z.object({ s: z.string() }), 's=12', { s: '12' }],
    [z.object({ s: z.string().optional() }), '', {}],
    [z.object({ s: z.enum(['a', 'b']) }), 's=b', { s: 'b' }],
    [z.object({ n: z.union([z.literal(1), z.literal(2)]) }), 'n=2', { n: 2 }],
    [z.object({ n: z.int().nullable() }), 'n=null', { n: null }],
    [z.object({ s: z.string().nullable() }), 's=null', { s: 'null' }],
    [z.object({ v: z.union([z.int(), z.boolean()]) }), 'v=true', { v: true }],
    [z.object({ ids: z.array(z.string()) }), 'ids=1', { ids: ['1'] }],
    [z.object({ ids: z.array(z.int()) }), 'ids=1&ids=2', { ids: [1, 2] }],
    [z.object({ v: z.union([z.string(), z.array(z.string())]) }), 'v=a', { v: 'a' }],
    [z.object({ v: z.union([z.string(), z.array(z.string())]) }), 'v=a&v=b', { v: ['a', 'b'] }],
    [z.object({ range: z.object({ gt: z.int() }) }), 'range={"gt":1}', { range: { gt: 1 } }],
    [z.object({ pair: z.tuple([z.int(), z.string()]) }), 'pair=[1,"a"]', { pair: [1, 'a'] }],
    [z.object({ l: z.array(z.object({ a: z.int() })) }), 'l={"a":1}&l={"a":2}', { l: [{ a: 1 }, { a: 2 }] }],
    [z.union([z.object({ a: z.int() }), z.object({ b: z.boolean() })]), 'b=true', { b: true }],
    [z.record(z.string(), z.int()), 'x=1&y=2', { x: 1, y: 2 }],
    [z.object({ d: z.int().default(3) }), 'd=4', { d: 4 }],
  ])('%#: %s', (schema, text, value) => {
    expect(read(schema, text)).toEqual(value)
  })

  test('a reference within the schema is followed', () => {
    const Money = z.int().meta({ id: 'Money' })
    expect(read(z.object({ from: Money, to: Money }), 'from=1&to=2')).toEqual({ from: 1, to: 2 })
  })

  test('a list of lists is a list of JSON, and may hold itself', () => {
    const Tree: z.ZodType = z.lazy(() => z.array(Tree))
    expect(read(z.object({ tree: Tree }), 'tree=[[]]&tree=[]')).toEqual({ tree: [[[]], []] })
  })

  test('a reference to itself ends', () => {
    const schema = { $ref: '#/$defs/a', $defs: { a: { anyOf: [{ $ref: '#/$defs/a' }, { type: 'object' }] } } }
    expect(parametersOf(schema, '').named).toEqual([])
  })

  test('text that does not fit is left to the schema', () => {
    expect(read(z.object({ n: z.int() }), 'n=twelve')).toEqual({ n: 'twelve' })
    expect(read(z.object({ n: z.int() }), 'n=9007199254740993')).toEqual({ n: '9007199254740993' })
    expect(read(z.object({ n: z.int() }), 'n=0x10')).toEqual({ n: '0x10' })
    expect(read(z.object({ n: z.int() }), 'n=')).toEqual({ n: '' })
  })
})

describe('what cannot be read is named', () => {
  test.each([
    [z.object({ a: z.string() }), 'a=1&x=2', 'x', 'there is no such parameter'],
    [z.object({ a: z.string() }), 'a=1&a=2', 'a', 'it is given more than once'],
    [z.object({ o: z.object({}) }), 'o={', 'o', 'it must be JSON'],
    [z.object({ l: z.array(z.object({})) }), 'l={', 'l', 'it must be JSON'],
  ])('%#', (schema, text, path, message) => {
    expect(read(schema, text)).toEqual([{ path, message }])
  })

  test('an input that is no object', () => {
    expect(() => parametersOf(schemaOf(z.string()), `query('q')`)).toThrow(/query\('q'\).*not an object/)
  })
})

describe('a prototype is out of reach', () => {
  test('as a parameter', () => {
    for (const schema of [z.object({ a: z.string() }), z.record(z.string(), z.string())]) {
      expect(read(schema, '__proto__=x')).toEqual([{ path: '__proto__', message: 'there is no such parameter' }])
    }
    expect(read(z.record(z.string(), z.string()), 'constructor=x')).toEqual({ constructor: 'x' })
    expect(read(z.object({ a: z.string() }), 'toString=x')).toEqual([
      { path: 'toString', message: 'there is no such parameter' },
    ])
  })

  test('within JSON', () => {
    expect(read(z.object({ o: z.object({}) }), 'o={"__proto__":{"a":1}}')).toEqual([
      { path: 'o', message: 'it must be JSON' },
    ])
    expect(read(z.object({ o: z.object({}) }), 'o={"\\u005f_proto__":{"a":1}}')).toEqual([
      { path: 'o', message: 'it must be JSON' },
    ])
  })
})
