import { type JsonSchema, jsonSchemaOf, type Schema } from './schema.ts'

/** How many rows are made: each takes other words where its schema lists several. */
const samples = 8

/**
 * Rows that a schema allows, as far as its JSON Schema tells: numbers that need not be whole are not, and integers are small.
 * Empty where some part of a row cannot be made up.
 */
export function sampleRows(schema: Schema<unknown>): readonly Readonly<Record<string, unknown>>[] {
  const root = jsonSchemaOf(schema, 'output')
  if (root === undefined) return []
  try {
    return Array.from({ length: samples }, (_, n) => sampler(root, n)(root) as Record<string, unknown>)
  } catch (error) {
    if (error instanceof Unknown) return []
    throw error
  }
}

class Unknown extends Error {}

/** Parts within each other: a schema may hold itself. */
const maxDepth = 16

function sampler(root: JsonSchema, chosen: number): (schema: JsonSchema, depth?: number) => unknown {
  let fraction = 1
  const pick = (all: readonly unknown[]): unknown => all[chosen % all.length]
  const sample = (schema: JsonSchema, depth = 0): unknown => {
    if (depth > maxDepth) throw new Unknown()
    const inner = (part: unknown): unknown => sample(part as JsonSchema, depth + 1)
    if ('const' in schema) return schema['const']
    if (Array.isArray(schema['enum'])) return pick(schema['enum'])
    const choices = schema['anyOf'] ?? schema['oneOf']
    if (Array.isArray(choices)) return inner(pick(choices))
    const type = Array.isArray(schema['type']) ? pick(schema['type']) : schema['type']
    switch (type) {
      case 'object': {
        const properties = Object.entries((schema['properties'] ?? {}) as Record<string, unknown>)
        return Object.fromEntries(properties.map(([name, property]) => [name, inner(property)]))
      }
      case 'array':
        return schema['items'] === undefined ? [] : [inner(schema['items'])]
      case 'integer':
        return integerOf(schema)
      case 'number':
        // Halves, quarters and so on: none of their sums is whole.
        fraction /= 2
        return fraction
      case 'boolean':
        return chosen % 2 === 0
      case 'null':
        return null
      case 'string':
        return textOf(schema)
      default: {
        const name = typeof schema['$ref'] === 'string' ? schema['$ref'].replace(/^#\/\$defs\//, '') : undefined
        const named = name === undefined ? undefined : (root['$defs'] as Record<string, unknown> | undefined)?.[name]
        if (named === undefined) throw new Unknown()
        return inner(named)
      }
    }
  }
  return sample
}

function integerOf({ minimum = 1, multipleOf = 1 }: JsonSchema): number {
  const step = Number(multipleOf)
  const least = Number(minimum) > Number.MIN_SAFE_INTEGER ? Number(minimum) : 1
  return Math.ceil(Math.max(1, least) / step) * step
}

function textOf({ format }: JsonSchema): string {
  if (format === 'date-time') return '2000-01-01T00:00:00Z'
  if (format === 'date') return '2000-01-01'
  return 'text'
}
