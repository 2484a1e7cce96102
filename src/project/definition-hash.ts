import { hash } from 'node:crypto'
import { type AnyProjection, type JsonSchema, jsonSchemaOf, type Schema } from '../define/index.ts'
import { plainSource } from './plain-source.ts'
import { sumNamesOf } from './sum-names.ts'

/**
 * A hash of what a projection makes of events: its schemas and the sources of its functions, and how the events that it
 * folds are upcast. It is the same in every process that runs the same build, and does not change with comments, layout,
 * kinds of quotes, descriptions in schemas, names, the version, shards, when rows are committed, or indexes.
 *
 * It sees source text and nothing behind it: what a function calls or closes over (a helper, a constant, a library) may
 * change unseen. And a build that rewrites sources (a minifier, another compiler) changes it where nothing else changed.
 * So it may warn, and may not decide.
 */
export function definitionHashOf(projection: AnyProjection): string {
  const parts = Object.entries(projection).filter(
    ([part, value]) => !besides.has(part) && !isUnused(part, value, projection),
  )
  const definition = Object.fromEntries(parts)
  const folded = projection.from.flatMap(({ types }) =>
    Object.values(types).filter(({ type }) => type in projection.on),
  )
  const events = folded.map(({ type, schemaVersion, upcast }) => [type, schemaVersion, plain(upcast)])
  return shortHash([plain(definition), events.map(event => JSON.stringify(event)).sort()])
}

/** Parts that change no row; and the contracts, of which only the folded events count. */
const besides = new Set(['kind', 'name', 'version', 'shards', 'commit', 'indexes', 'from'])

/** Stages that a projection does not have say nothing of it. */
function isUnused(part: string, value: unknown, { state }: AnyProjection): boolean {
  if (part === 'row') return value === state
  return (part === 'refs' || part === 'rollups') && Object.keys(value as object).length === 0
}

/**
 * A hash of what a row looks like, by the JSON Schema of `schema`, and of which rollups there are. Where two definitions
 * have the same, the queries of the one can be answered from the rows and rollups of the other.
 */
export function rowShapeOf(schema: Schema<unknown>, rollups: readonly string[] = []): string {
  const rows = plainSchema(schema)
  return shortHash(rollups.length === 0 ? rows : [rows, rollups.toSorted()])
}

/**
 * A hash of the names that the sums of a rollup have. Where its source does not say them outright, it is one of that source:
 * then another source may stand for the same names, which costs a query its answer from an older generation, and no answer
 * its truth.
 */
export function sumsShapeOf(sum: AnyProjection['rollups'][string]['sum']): string {
  const names = sumNamesOf(sum)
  return shortHash(names === undefined ? plain(sum) : { names })
}

/** Anything within a definition, as data whose JSON text is the same for the same meaning. */
function plain(value: unknown): unknown {
  if (typeof value === 'function') return { source: plainSource(value.toString()) }
  if (typeof value !== 'object' || value === null) return value ?? null
  if (Array.isArray(value)) return value.map(plain)
  if ('~standard' in value) return { schema: plainSchema(value as Schema<unknown>) }
  // What is referred to has a hash of its own.
  if ('kind' in value && value.kind === 'projection') return { projection: (value as AnyProjection).name }
  return sorted(value, plain)
}

function plainSchema(schema: Schema<unknown>): unknown {
  return keyword(jsonSchemaOf(schema, 'output') ?? {})
}

/** What documents a schema and does not change which values fit. */
const remarks = new Set(['$comment', '$id', '$schema', 'title', 'description', 'examples', 'deprecated'])
/** Keywords whose object has names of the user's, each with a schema. */
const named = new Set(['properties', 'patternProperties', '$defs', 'definitions', 'dependentSchemas'])
/** Keywords whose list has no order. */
const unordered = new Set(['required', 'enum', 'type', 'anyOf', 'oneOf', 'allOf'])

function keyword(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(keyword)
  if (typeof schema !== 'object' || schema === null) return schema
  const meant = Object.entries(schema as JsonSchema).filter(([name]) => !remarks.has(name))
  return sorted(Object.fromEntries(meant), (value, name) => {
    if (named.has(name)) return sorted(value as object, keyword)
    if (name === 'const' || name === 'default') return value
    const inner = name === 'enum' ? value : keyword(value)
    return unordered.has(name) && Array.isArray(inner) ? inner.map(one => JSON.stringify(one)).sort() : inner
  })
}

function sorted(value: object, of: (inner: unknown, name: string) => unknown): unknown {
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))
  return Object.fromEntries(entries.map(([name, inner]) => [name, of(inner, name)]))
}

/** 64 bits: it tells definitions of one projection apart, and nobody attacks it. */
function shortHash(value: unknown): string {
  return hash('sha256', JSON.stringify(value), 'hex').slice(0, 16)
}
