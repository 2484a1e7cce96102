import { type JsonSchema, jsonSchemaOf, type Schema } from './schema.ts'

/** What a column holds. `json` is for nested values; the arrays are of non-null scalars. */
export type ColumnType =
  | 'text'
  | 'bigint'
  | 'double'
  | 'boolean'
  | 'timestamp'
  | 'json'
  | 'text[]'
  | 'bigint[]'
  | 'double[]'
  | 'boolean[]'

export interface Column {
  readonly name: string
  readonly type: ColumnType
  /** May the value be `null`, or be missing? */
  readonly nullable: boolean
}

export type Columns = { readonly columns: readonly Column[] } | { readonly problem: string; readonly column?: string }

/**
 * Derives a view's columns from the JSON Schema of its rows: integers become `bigint`, other numbers `double`,
 * date-times with an offset `timestamp`, arrays of scalars arrays, and everything nested `json`.
 */
export function columnsOf(schema: Schema<unknown>): Columns {
  const output = jsonSchemaOf(schema, 'output')
  const input = jsonSchemaOf(schema, 'input')
  if (output === undefined || input === undefined) {
    return { problem: 'its schema does not give a JSON Schema (~standard.jsonSchema), or holds what JSON cannot' }
  }
  if (output['type'] !== 'object' || typeof output['properties'] !== 'object') {
    return { problem: 'a row must be an object with named properties' }
  }
  const required = new Set(output['required'] as readonly string[] | undefined)
  const requiredIn = new Set(input['required'] as readonly string[] | undefined)
  const inputs = (input['properties'] ?? {}) as Record<string, JsonSchema>
  const defs = (output['$defs'] ?? {}) as Defs
  if (!sameShape((input['$defs'] ?? {}) as Defs, defs)) return { problem: changesValue }
  const columns: Column[] = []
  for (const [name, property] of Object.entries(output['properties'] as Record<string, JsonSchema>)) {
    const given = inputs[name]
    if (given === undefined || !sameShape(given, property) || required.has(name) !== requiredIn.has(name)) {
      return { column: name, problem: changesValue }
    }
    const type = typeOf(property, defs)
    if (type === undefined) return { column: name, problem: 'no column type fits its schema' }
    columns.push({ name, type, nullable: !required.has(name) || allowsNull(property, defs) })
  }
  return { columns }
}

const changesValue = 'the schema changes the value (a default or a transform); a row is stored as it was folded'

/** What `$ref` refers to: schemas with a name, and those that hold themselves. */
type Defs = Readonly<Record<string, JsonSchema>>

function resolve(schema: JsonSchema, defs: Defs): JsonSchema {
  const name = /^#\/\$defs\/(.+)$/.exec(String(schema['$ref']))?.[1]
  return (name !== undefined && defs[name]) || schema
}

function sameShape(a: JsonSchema, b: JsonSchema): boolean {
  return JSON.stringify(closed(a)) === JSON.stringify(closed(b))
}

/** Libraries close objects on the way out and leave them open on the way in; that changes no value. */
function closed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(closed)
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).filter(([key, inner]) => key !== 'additionalProperties' || inner !== false)
  return Object.fromEntries(entries.map(([key, inner]) => [key, closed(inner)]))
}

function allowsNull(unresolved: JsonSchema, defs: Defs): boolean {
  const schema = resolve(unresolved, defs)
  const { type, anyOf, oneOf } = schema
  if (type === 'null' || (Array.isArray(type) && type.includes('null'))) return true
  if ('const' in schema) return schema['const'] === null
  if (Array.isArray(schema['enum'])) return schema['enum'].includes(null)
  return [anyOf, oneOf].some(schemas => Array.isArray(schemas) && schemas.some(one => allowsNull(one, defs)))
}

function typeOf(schema: JsonSchema, defs: Defs): ColumnType | undefined {
  const found = new Set(alternatives(schema, defs).map(one => columnTypeOf(one, defs)))
  if (found.has(undefined)) return undefined
  if (found.size === 1) return [...found][0]
  if (found.size === 0) return undefined
  const all = [...found]
  if (all.every(type => type === 'bigint' || type === 'double')) return 'double'
  if (all.every(type => type === 'text' || type === 'timestamp')) return 'text'
  return 'json'
}

/** The schemas that a value may fit, but for null. */
function alternatives(unresolved: JsonSchema, defs: Defs): JsonSchema[] {
  const schema = resolve(unresolved, defs)
  for (const several of [schema['anyOf'], schema['oneOf']]) {
    if (Array.isArray(several)) return several.flatMap(one => alternatives(one, defs))
  }
  if (Array.isArray(schema['type'])) {
    return schema['type'].flatMap(type => alternatives({ ...schema, type }, defs))
  }
  return schema['type'] === 'null' ? [] : [schema]
}

function columnTypeOf(schema: JsonSchema, defs: Defs): ColumnType | undefined {
  switch (schema['type']) {
    case 'string':
      return schema['format'] === 'date-time' ? 'timestamp' : 'text'
    case 'integer':
      return 'bigint'
    case 'number':
      return isIntegerLiteral(schema) ? 'bigint' : 'double'
    case 'boolean':
      return 'boolean'
    case 'array':
      return arrayOf(schema['items'], defs)
    case 'object':
      return 'json'
    default:
      return undefined
  }
}

function isIntegerLiteral(schema: JsonSchema): boolean {
  if ('const' in schema) return Number.isSafeInteger(schema['const'])
  return Array.isArray(schema['enum']) && schema['enum'].every(Number.isSafeInteger)
}

function arrayOf(items: unknown, defs: Defs): ColumnType {
  if (typeof items !== 'object' || items === null) return 'json'
  // One name is looked up and no more: an array may hold arrays of its own kind, and is json then.
  const item = resolve(items as JsonSchema, defs)
  const type = allowsNull(item, {}) ? 'json' : typeOf(item, {})
  switch (type) {
    case 'text':
    case 'bigint':
    case 'double':
    case 'boolean':
      return `${type}[]`
    default:
      return 'json'
  }
}
