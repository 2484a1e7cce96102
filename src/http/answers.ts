import { inspect } from 'node:util'
import type { FastifyReply, FastifyRequest, RouteOptions } from 'fastify'
import { BifoldError } from '../define/index.ts'
import { isBodyFault, problemMediaType, problemOf } from './problem.ts'
import type { Caller } from './request-headers.ts'

/** What every part of the server may be told. */
export interface HttpOptions {
  /**
   * Who sends a request. Give one where requests are authenticated: by default the tenant is what the header
   * `Bifold-Tenant` says, and that anybody can set.
   */
  readonly identify?: (request: FastifyRequest) => Caller | Promise<Caller>
  /** Told of errors that were not foreseen, which answers keep to themselves. Default: written to standard error. */
  readonly onUnexpected?: (error: unknown) => void
}

/** Sends JSON as it is. Nothing may keep it: the next answer may hold more, and differs by token and tenant. */
export function sendJson(reply: FastifyReply, text: string): FastifyReply {
  return reply.header('content-type', 'application/json; charset=utf-8').header('cache-control', 'no-store').send(text)
}

/** Makes a Fastify error handler that answers with a problem. */
export function answerWithProblem({ onUnexpected = writeOut }: HttpOptions) {
  return (error: unknown, request: FastifyRequest, reply: FastifyReply): void => {
    // Fastify reads the body of a request that no route is for; what is wrong with it is beside the point.
    const problem = problemOf(request.is404 && isBodyFault(error) ? new BifoldError('http/not-found', {}) : error)
    if (problem.unexpected) onUnexpected(error)
    reply
      .code(problem.status)
      .headers(problem.headers)
      .header('content-type', problemMediaType)
      .header('cache-control', 'no-store')
      // A serializer keeps Fastify from adding a charset, which this media type does not have.
      .serializer(asItIs)
      .send(problem.body)
  }
}

const asItIs = (body: string): string => body

function writeOut(error: unknown): void {
  process.stderr.write(`${inspect(error)}\n`)
}

/** The route of every method but those in `allow`: 405, before a body is read. */
export function refuseMethod(method: string[], url: string, allow: string): RouteOptions {
  const refuse = async (_: FastifyRequest, reply: FastifyReply): Promise<never> => {
    reply.header('allow', allow)
    throw new BifoldError('http/method-not-allowed', { allow })
  }
  return { method, url, onRequest: refuse, handler: refuse }
}
