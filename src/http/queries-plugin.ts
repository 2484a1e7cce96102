import type { FastifyInstance, FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify'
import { type AnyQuery, BifoldError, jsonSchemaOf } from '../define/index.ts'
import type { Answer } from '../query/index.ts'
import type { System } from '../run/index.ts'
import { answerWithProblem, type HttpOptions, refuseMethod, sendJson } from './answers.ts'
import { inputReader, type Parameters, parametersOf, type QueryString } from './parameters.ts'
import { askOptionsOf, type Caller } from './request-headers.ts'

const otherMethods = ['POST', 'PUT', 'PATCH', 'DELETE']

/**
 * The query side as a Fastify plugin: `GET /queries/{name}` for each query of the app, with its input in the query
 * string.
 *
 * @throws `http/unreadable-input` when it is registered with a query whose input has no JSON Schema of an object.
 */
export function queriesPlugin(system: System, options: HttpOptions = {}): FastifyPluginAsync {
  return async fastify => {
    fastify.setErrorHandler(answerWithProblem(options))
    for (const query of system.app.queries) addQuery(fastify, system, query, options)
  }
}

/** The parameters of a query, from its input's schema. */
export function parametersOfQuery({ name, input }: AnyQuery): Parameters {
  const place = `query('${name}')`
  const schema = jsonSchemaOf(input, 'input')
  if (schema === undefined) {
    throw new BifoldError('http/unreadable-input', { place, problem: 'its schema gives no JSON Schema' })
  }
  return parametersOf(schema, place)
}

function addQuery(fastify: FastifyInstance, system: System, query: AnyQuery, { identify }: HttpOptions): void {
  const { name } = query
  const readInput = inputReader(parametersOfQuery(query))
  const answerRow = query.ask.verb === 'get'
  const url = `/queries/${name}`
  fastify.get(url, async (request: FastifyRequest<{ Querystring: QueryString }>, reply) => {
    const caller: Caller = identify === undefined ? {} : await identify(request)
    mustBeUtf8(request.raw.url ?? '')
    const input = readInput(request.query)
    if (input.issues !== undefined) throw new BifoldError('query/invalid-input', { query: name, issues: input.issues })
    const answer = await system.queryText(name, input.value, askOptionsOf(request.headers, caller))
    sayAsOf(reply, answer)
    if (answerRow && answer.value === 'null') throw new BifoldError('query/not-found', { query: name })
    return sendJson(reply, answer.value)
  })
  fastify.route(refuseMethod(otherMethods, url, 'GET, HEAD'))
}

function sayAsOf(reply: FastifyReply, { asOf, token, stale, parked }: Answer<string>): void {
  reply.header('bifold-as-of', String(asOf)).header('bifold-token', token)
  if (stale) reply.header('bifold-stale', 'true')
  if (parked === true) reply.header('bifold-parked', 'true')
}

/** Fastify leaves percent-encoding that it cannot decode as it stands; a key that nobody meant would be looked up. */
function mustBeUtf8(url: string): void {
  const start = url.indexOf('%', url.indexOf('?'))
  if (start === -1) return
  try {
    decodeURIComponent(url.slice(start))
  } catch (cause) {
    const problem = 'the query string is not percent-encoded UTF-8'
    throw new BifoldError('http/malformed-request', { problem }, { cause })
  }
}
