import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { type ColumnType, columnsOf } from './columns.ts'
import type { JsonSchema, Schema } from './schema.ts'

const only = (shape: z.ZodType) => columnsOf(z.object({ value: shape }))
const column = (type: ColumnType, nullable = false) => ({ columns: [{ name: 'value', type, nullable }] })

/** A schema of no library: all that Bifold knows is `~standard`. */
function handWritten(properties: Record<string, JsonSchema>, required = Object.keys(properties)): Schema<unknown> {
  const schema = (): JsonSchema => ({ type: 'object', properties, required })
  return {
    '~standard': {
      version: 1,
      vendor: 'by-hand',
      validate: value => ({ value }),
      jsonSchema: { input: schema, output: schema },
    },
  }
}

describe('a column takes its type from the schema', () => {
  test.each<[string, z.ZodType, ColumnType]>([
    ['a string', z.string(), 'text'],
    ['a date', z.iso.date(), 'text'],
    ['an e-mail address', z.email(), 'text'],
    ['an enum', z.enum(['pending', 'paid']), 'text'],
    ['a literal', z.literal('paid'), 'text'],
    ['a union of literals', z.union([z.literal('a'), z.literal('b')]), 'text'],
    ['a date-time', z.iso.datetime(), 'timestamp'],
    ['a date-time with an offset', z.iso.datetime({ offset: true }), 'timestamp'],
    ['a date-time or a word', z.union([z.iso.datetime(), z.literal('never')]), 'text'],
    ['an integer', z.int(), 'bigint'],
    ['an integer of 32 bits', z.int32(), 'bigint'],
    ['an integer literal', z.literal(3), 'bigint'],
    ['integer literals', z.union([z.literal(1), z.literal(2)]), 'bigint'],
    ['a number', z.number(), 'double'],
    ['a literal with a fraction', z.literal(0.5), 'double'],
    ['an integer or a number', z.union([z.int(), z.number()]), 'double'],
    ['a boolean', z.boolean(), 'boolean'],
    ['an object', z.object({ a: z.string() }), 'json'],
    ['a record', z.record(z.string(), z.int()), 'json'],
    ['an object or a string', z.union([z.object({ a: z.string() }), z.string()]), 'json'],
    ['a string or a number', z.union([z.string(), z.number()]), 'json'],
    ['strings', z.array(z.string()), 'text[]'],
    ['words of an enum', z.array(z.enum(['a', 'b'])), 'text[]'],
    ['integers', z.array(z.int()), 'bigint[]'],
    ['numbers', z.array(z.number()), 'double[]'],
    ['booleans', z.array(z.boolean()), 'boolean[]'],
    ['date-times', z.array(z.iso.datetime()), 'json'],
    ['objects', z.array(z.object({ sku: z.string() })), 'json'],
    ['arrays of arrays', z.array(z.array(z.string())), 'json'],
    ['an array with nulls', z.array(z.string().nullable()), 'json'],
  ])('%s', (_, shape, type) => {
    expect(only(shape)).toEqual(column(type))
    expect(only(shape.nullable())).toEqual(column(type, true))
    expect(only(shape.optional())).toEqual(column(type, true))
  })

  test('columns come in the order of the schema', () => {
    const derived = columnsOf(z.object({ zeta: z.string(), alpha: z.int(), middle: z.boolean().nullable() }))
    expect(derived).toEqual({
      columns: [
        { name: 'zeta', type: 'text', nullable: false },
        { name: 'alpha', type: 'bigint', nullable: false },
        { name: 'middle', type: 'boolean', nullable: true },
      ],
    })
  })

  test('a schema with a name of its own is what its name refers to', () => {
    const Status = z.enum(['pending', 'paid']).meta({ id: 'Status' })
    const Address = z.object({ street: z.string() }).meta({ id: 'Address' })
    expect(columnsOf(z.object({ a: Status, b: Status.nullable(), c: z.array(Status), d: Address }))).toEqual({
      columns: [
        { name: 'a', type: 'text', nullable: false },
        { name: 'b', type: 'text', nullable: true },
        { name: 'c', type: 'text[]', nullable: false },
        { name: 'd', type: 'json', nullable: false },
      ],
    })
    const Changing = z.object({ street: z.string().default('x') }).meta({ id: 'Changing' })
    expect(columnsOf(z.object({ a: Changing }))).toEqual({ problem: expect.stringContaining('changes the value') })
  })

  test('a schema that holds itself is json, as is any json', () => {
    interface Tree {
      children: Tree[]
    }
    const Tree: z.ZodType<Tree> = z.lazy(() => z.object({ children: z.array(Tree) }))
    const Lists: z.ZodType<unknown> = z.lazy(() => z.array(Lists))
    expect(only(Tree)).toEqual(column('json'))
    expect(only(z.array(Tree))).toEqual(column('json'))
    expect(only(Lists)).toEqual(column('json'))
    expect(only(z.json())).toEqual(column('json', true))
  })

  test('nested objects may be open, closed or hold what is optional', () => {
    expect(only(z.strictObject({ a: z.string().optional() }))).toEqual(column('json'))
    expect(only(z.looseObject({ a: z.string() }))).toEqual(column('json'))
  })
})

describe('any Standard Schema with a JSON Schema will do', () => {
  test('the older spellings of null are understood', () => {
    const schema = handWritten({
      a: { type: ['string', 'null'] },
      b: { oneOf: [{ type: 'integer' }, { type: 'null' }] },
      c: { type: 'number', enum: [1, 2, 3] },
      d: { type: 'string', enum: ['x', null] },
      e: { type: ['integer', 'number'] },
      f: { type: 'array', items: { type: ['string', 'null'] } },
    })
    expect(columnsOf(schema)).toEqual({
      columns: [
        { name: 'a', type: 'text', nullable: true },
        { name: 'b', type: 'bigint', nullable: true },
        { name: 'c', type: 'bigint', nullable: false },
        { name: 'd', type: 'text', nullable: true },
        { name: 'e', type: 'double', nullable: false },
        { name: 'f', type: 'json', nullable: false },
      ],
    })
  })

  test('what is not required may be missing', () => {
    expect(columnsOf(handWritten({ value: { type: 'string' } }, []))).toEqual(column('text', true))
  })

  test('an array of whatever is json', () => {
    expect(columnsOf(handWritten({ value: { type: 'array' } }))).toEqual(column('json'))
  })
})

describe('a row has no columns', () => {
  test.each<[string, Schema<unknown>]>([
    ['its schema gives no JSON Schema', { '~standard': { version: 1, vendor: 'v', validate: value => ({ value }) } }],
    ['it holds what JSON cannot say', z.object({ at: z.date() })],
    ['it holds a bigint', z.object({ total: z.bigint() })],
  ])('where %s', (_, schema) => {
    expect(columnsOf(schema)).toEqual({ problem: expect.stringContaining('does not give a JSON Schema') })
  })

  test.each<[string, z.ZodType]>([
    ['a string', z.string()],
    ['a record', z.record(z.string(), z.int())],
    ['an array', z.array(z.object({}))],
    ['a union of objects', z.union([z.object({ a: z.int() }), z.object({ b: z.int() })])],
  ])('where it is %s', (_, schema) => {
    expect(columnsOf(schema)).toEqual({ problem: 'a row must be an object with named properties' })
  })

  test.each<[string, z.ZodType]>([
    ['it has a default', z.string().default('x')],
    ['it is prefaulted', z.int().prefault(1)],
    ['it becomes another type', z.string().pipe(z.coerce.number())],
    ['a default is nested', z.object({ a: z.int().default(1) })],
  ])('where the schema changes a column: %s', (_, shape) => {
    expect(only(shape)).toMatchObject({ column: 'value' })
  })

  test('where a column could be anything', () => {
    expect(only(z.unknown())).toEqual({ column: 'value', problem: expect.any(String) })
    expect(columnsOf(handWritten({ value: {} }))).toEqual({
      column: 'value',
      problem: 'no column type fits its schema',
    })
  })

  test('where a column can only be null', () => {
    expect(only(z.null())).toEqual({ column: 'value', problem: 'no column type fits its schema' })
  })
})
