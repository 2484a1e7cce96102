import { embed } from './embed-schema.ts'
import type { Parameter, Parameters } from './parameters.ts'

/**
 * Describes the parameters of a query string.
 *
 * @param inputName the schema of the whole input in the document, into which their references point.
 */
export function parameterDocs({ named, rest }: Parameters, inputName: string): readonly unknown[] {
  const docs = named.map(parameter => describe(parameter, inputName))
  return rest === undefined ? docs : [...docs, describeRest(rest, inputName)]
}

function describe({ name, required, schema, shape }: Parameter, inputName: string) {
  const local = embed(schema, inputName)
  const isJson = shape.json && !shape.text && shape.list === undefined
  return {
    name,
    in: 'query',
    required,
    ...(isJson
      ? { content: { 'application/json': { schema: local } } }
      : { schema: local, style: 'form', explode: true }),
  }
}

/** Any other parameter: OpenAPI says so as an object whose members are parameters. */
function describeRest({ schema }: Parameter, inputName: string) {
  const additionalProperties = embed(schema, inputName)
  return { name: '*', in: 'query', style: 'form', explode: true, schema: { type: 'object', additionalProperties } }
}
