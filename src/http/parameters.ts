import { BifoldError, type Checked, type Issue, type JsonSchema } from '../define/index.ts'
import { alternativesOf, isSchema, type Shape, shapeOf } from './shape.ts'

/** One parameter of a query string. */
export interface Parameter {
  readonly name: string
  readonly required: boolean
  /** As the definition says it, with references into the input's own schema. */
  readonly schema: JsonSchema
  readonly shape: Shape
}

export interface Parameters {
  readonly named: readonly Parameter[]
  /** What any other parameter is, where the input takes others. */
  readonly rest: Parameter | undefined
}

/** A query string, taken apart: the value of each parameter, or its values where it is repeated. */
export type QueryString = Readonly<Record<string, string | readonly string[] | undefined>>

/**
 * The parameters that an input is read from: the properties of its JSON Schema. Where the input is a union of objects,
 * those of all of them.
 *
 * @param place names the query in an error.
 * @throws `http/unreadable-input` where the schema is not one of an object.
 */
export function parametersOf(schema: JsonSchema, place: string): Parameters {
  const objects = alternativesOf(schema, schema).filter(
    part => part['type'] === 'object' || isSchema(part['properties']),
  )
  if (objects.length === 0) throw new BifoldError('http/unreadable-input', { place, problem: 'it is not an object' })
  const names = new Set(objects.flatMap(part => Object.keys(propertiesOf(part))))
  names.delete('__proto__')
  const rests = objects.map(part => part['additionalProperties']).filter(isSchema)
  return {
    named: [...names].map(name => {
      const schemas = objects.map(part => propertiesOf(part)[name]).filter(isSchema)
      return parameterOf(
        name,
        schemas,
        objects.every(part => requiredOf(part).includes(name)),
        schema,
      )
    }),
    rest: rests.length === 0 ? undefined : parameterOf('', rests, false, schema),
  }
}

function parameterOf(name: string, schemas: readonly JsonSchema[], required: boolean, root: JsonSchema): Parameter {
  const [only] = schemas
  const schema = schemas.length === 1 && only !== undefined ? only : { anyOf: schemas }
  return { name, required, schema, shape: shapeOf(schema, root) }
}

const propertiesOf = (schema: JsonSchema) => (schema['properties'] ?? {}) as Record<string, JsonSchema | undefined>
const requiredOf = (schema: JsonSchema) => (schema['required'] ?? []) as readonly string[]

/**
 * Makes the function that reads an input from a query string. It coerces and names what cannot be read; whether the
 * value fits is for the schema to say.
 */
export function inputReader({ named, rest }: Parameters): (query: QueryString) => Checked<Record<string, unknown>> {
  const parameters = new Map(named.map(parameter => [parameter.name, parameter]))
  return query => {
    const value: Record<string, unknown> = {}
    let issues: Issue[] | undefined
    for (const name in query) {
      const given = query[name] ?? ''
      const parameter = parameters.get(name) ?? (name === '__proto__' ? undefined : rest)
      const read = parameter === undefined ? unknownParameter : readValue(parameter.shape, given)
      if (typeof read === 'symbol') {
        issues ??= []
        issues.push({ path: name, message: read.description ?? '' })
      } else {
        value[name] = read
      }
    }
    return issues === undefined ? { value } : { issues }
  }
}

// A symbol in the place of a value says why there is none: no text can be read as one.
const unknownParameter = Symbol('there is no such parameter')
const repeated = Symbol('it is given more than once')
const notJson = Symbol('it must be JSON')

function readValue(shape: Shape, given: string | readonly string[]): unknown {
  const { list } = shape
  if (typeof given === 'string' && (list === undefined || isScalar(shape))) return readText(shape, given)
  if (list === undefined) return repeated
  const values = (typeof given === 'string' ? [given] : given).map(text => readText(list, text))
  return values.includes(notJson) ? notJson : values
}

const isScalar = (shape: Shape): boolean =>
  shape.text || shape.literals.size > 0 || shape.integer || shape.number || shape.boolean

const integer = /^-?(?:0|[1-9][0-9]*)$/
const number = /^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?$/

/** Text that fits nothing stays text, and the schema says what is wrong with it. */
function readText(shape: Shape, text: string): unknown {
  if (shape.literals.has(text)) return shape.literals.get(text)
  if (shape.text) return text
  if (shape.boolean && (text === 'true' || text === 'false')) return text === 'true'
  if (shape.integer && integer.test(text) && Number.isSafeInteger(Number(text))) return Number(text)
  if (shape.number && number.test(text) && Number.isFinite(Number(text))) return Number(text)
  if (shape.null && text === 'null') return null
  return shape.json || shape.list !== undefined ? parse(text) : text
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text, refusePrototype)
  } catch {
    return notJson
  }
}

function refusePrototype(key: string, value: unknown): unknown {
  if (key === '__proto__') throw new SyntaxError()
  return value
}
