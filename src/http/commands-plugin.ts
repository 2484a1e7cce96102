import { isUtf8 } from 'node:buffer'
import type { FastifyInstance, FastifyPluginAsync, FastifyRequest } from 'fastify'
import { BifoldError } from '../define/index.ts'
import type { System } from '../run/index.ts'
import { answerWithProblem, type HttpOptions, refuseMethod, sendJson } from './answers.ts'
import { type Caller, commandOptionsOf } from './request-headers.ts'

const otherMethods = ['GET', 'HEAD', 'PUT', 'PATCH', 'DELETE']

/**
 * The command side as a Fastify plugin: `POST /commands/{category}/{streamId}/{Command}` for each command of the app,
 * with its input as `application/json`; an empty body is the input `{}`. The media type is required even then: it is what
 * makes a browser ask before it sends a request to another origin, with that origin's cookies.
 *
 * On a server of your own, raise `routerOptions.maxParamLength` to 768: a stream id has up to 256 bytes, each three
 * characters when percent-encoded, and Fastify's default takes 100.
 */
export function commandsPlugin(system: System, options: HttpOptions = {}): FastifyPluginAsync {
  return async fastify => {
    fastify.setErrorHandler(answerWithProblem(options))
    takeOnlyJson(fastify)
    for (const { events, commands } of system.app.aggregates) {
      for (const command of Object.keys(commands)) addCommand(fastify, system, events.category, command, options)
    }
  }
}

function addCommand(
  fastify: FastifyInstance,
  system: System,
  category: string,
  command: string,
  { identify }: HttpOptions,
): void {
  const url = `/commands/${category}/:streamId/${command}`
  fastify.post(url, async (request: FastifyRequest<{ Params: { streamId: string } }>, reply) => {
    if (request.headers['content-type'] === undefined) throw new BifoldError('http/unsupported-media-type', {})
    const caller: Caller = identify === undefined ? {} : await identify(request)
    const options = commandOptionsOf(request.headers, caller)
    const { streamId } = request.params
    const done = await system.dispatchByName(
      category,
      streamId,
      command,
      request.body === undefined ? {} : request.body,
      options,
    )
    reply.header('bifold-token', done.token).header('etag', `"${done.version}"`)
    return sendJson(reply, JSON.stringify(done))
  })
  fastify.route(refuseMethod(otherMethods, url, 'POST'))
}

/** JSON in UTF-8 and nothing else: bytes that are no UTF-8 would be replaced without a word, and stored so. */
function takeOnlyJson(fastify: FastifyInstance): void {
  const parse = fastify.getDefaultJsonParser('error', 'error')
  fastify.removeAllContentTypeParsers()
  fastify.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, body, done) => {
    const bytes = body as Buffer
    if (bytes.length === 0) done(null, undefined)
    else if (isUtf8(bytes))
      void parse(request, bytes.toString(), (error, value) => done(error && invalidJson(error), value))
    else done(new BifoldError('http/invalid-json', {}))
  })
}

const invalidJson = (cause: Error): Error => new BifoldError('http/invalid-json', {}, { cause })
