import type { JsonSchema } from '../define/index.ts'

/** A reference to a schema of the document's components. */
export const ref = (name: string): { readonly $ref: string } => ({ $ref: `#/components/schemas/${name}` })

/** A schema that was a document of its own, made part of another one, in which its references point to itself. */
export function embed(schema: JsonSchema, name: string): JsonSchema {
  const { $schema: _, ...body } = schema
  return relocate(body, ref(name).$ref) as JsonSchema
}

function relocate(value: unknown, to: string): unknown {
  if (Array.isArray(value)) return value.map(item => relocate(item, to))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) =>
      key === '$ref' && typeof inner === 'string' && inner.startsWith('#')
        ? [key, to + inner.slice(1)]
        : [key, relocate(inner, to)],
    ),
  )
}
