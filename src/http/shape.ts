import type { JsonSchema } from '../define/index.ts'

/** What a JSON Schema lets a value be, as far as it decides how text is read. */
export interface Shape {
  /** Any text, as opposed to the literals. */
  readonly text: boolean
  /** Values of `const` and `enum`, by how they are written in a URL. */
  readonly literals: ReadonlyMap<string, unknown>
  readonly integer: boolean
  readonly number: boolean
  readonly boolean: boolean
  readonly null: boolean
  /** A list of what each repetition of the parameter gives. */
  readonly list: Shape | undefined
  /** Something nested, which a URL carries as JSON. */
  readonly json: boolean
}

/** What `schema` lets a value be. `root` is the document that its `$ref`s point into. */
export function shapeOf(schema: JsonSchema, root: JsonSchema): Shape {
  const parts = alternativesOf(schema, root)
  const items = parts.flatMap(itemsOf)
  // A list within a list is JSON, and is not looked into: it may hold itself.
  const list = items.length === 0 ? undefined : flatShapeOf(items.flatMap(item => alternativesOf(item, root)))
  return { ...flatShapeOf(parts), list, json: parts.some(part => isNested(part) && itemsOf(part).length === 0) }
}

function flatShapeOf(parts: readonly JsonSchema[]): Shape {
  const literals = parts.flatMap(literalsOf)
  const types = new Set(parts.filter(part => literalsOf(part).length === 0).flatMap(typesOf))
  return {
    text: types.has('string'),
    literals: new Map(literals.map(value => [String(value), value])),
    integer: types.has('integer'),
    number: types.has('number'),
    boolean: types.has('boolean'),
    null: types.has('null'),
    list: undefined,
    json: parts.some(isNested),
  }
}

/** The schemas without `$ref`, `anyOf`, `oneOf` or `allOf` that `schema` is made of. */
export function alternativesOf(schema: JsonSchema, root: JsonSchema, seen: readonly JsonSchema[] = []): JsonSchema[] {
  if (seen.includes(schema)) return []
  const inner = ['anyOf', 'oneOf', 'allOf'].flatMap(word => (schema[word] as JsonSchema[] | undefined) ?? [])
  if (typeof schema['$ref'] === 'string') inner.push(targetOf(schema['$ref'], root))
  const own = 'type' in schema || 'const' in schema || 'enum' in schema || 'properties' in schema || inner.length === 0
  return [...(own ? [schema] : []), ...inner.flatMap(part => alternativesOf(part, root, [...seen, schema]))]
}

/** Follows a JSON pointer within the document; a reference to elsewhere says nothing. */
function targetOf(ref: string, root: JsonSchema): JsonSchema {
  let target: unknown = ref.startsWith('#') ? root : undefined
  for (const step of ref.split('/').slice(1)) {
    const name = step.replaceAll('~1', '/').replaceAll('~0', '~')
    target = isSchema(target) && Object.hasOwn(target, name) ? target[name] : undefined
  }
  return isSchema(target) ? target : {}
}

function literalsOf(schema: JsonSchema): readonly unknown[] {
  const values = 'const' in schema ? [schema['const']] : ((schema['enum'] as unknown[] | undefined) ?? [])
  return values.filter(value => typeof value !== 'object' || value === null)
}

/** A schema that names no type lets anything pass: text is then text. */
function typesOf(schema: JsonSchema): readonly string[] {
  const { type } = schema
  if (Array.isArray(type)) return type
  return [typeof type === 'string' ? type : 'properties' in schema ? 'object' : 'string']
}

const isNested = (schema: JsonSchema): boolean => typesOf(schema).some(type => type === 'object' || type === 'array')

function itemsOf(schema: JsonSchema): readonly JsonSchema[] {
  const { items } = schema
  return typesOf(schema).includes('array') && !('prefixItems' in schema) && isSchema(items) ? [items] : []
}

export function isSchema(value: unknown): value is JsonSchema {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
