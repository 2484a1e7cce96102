import type { AddressInfo } from 'node:net'
import { setTimeout } from 'node:timers/promises'
import type { FastifyInstance, FastifyServerOptions } from 'fastify'
import { BifoldError } from '../define/index.ts'
import type { System } from '../run/index.ts'
import { answerWithProblem, type HttpOptions, sendJson } from './answers.ts'
import { commandsPlugin } from './commands-plugin.ts'
import type { HealthOptions } from './health.ts'
import { healthPlugin } from './health-plugin.ts'
import { openApiOf } from './open-api.ts'
import { queriesPlugin } from './queries-plugin.ts'
import { gatedServer, type Limits, refuseUnreadable } from './server.ts'

export interface ServeOptions extends HttpOptions {
  /** Default 0: a free one. */
  readonly port?: number
  /** Default `127.0.0.1`. */
  readonly host?: string
  /** Serve the command side? Default true. With `queries: false`, and the other way round elsewhere, it is two ports. */
  readonly commands?: boolean
  /** Serve the query side? Default true. */
  readonly queries?: boolean
  /** Adds to the server before it listens: authentication, CORS, pages of one's own. */
  readonly extend?: (fastify: FastifyInstance) => void | Promise<void>
  readonly limits?: Limits
  readonly health?: Omit<HealthOptions, 'judgeViews'>
  /**
   * How long the server goes on as before once it is told to close, while `/health/ready` says that it is not ready: as
   * long as the load balancer takes to notice. Default 0.
   */
  readonly drainMs?: number
  /** How long requests that are under way may take when the server closes; then they are cut off. Default 10000. */
  readonly graceMs?: number
  /** The version of the API that `/openapi.json` names. Default `1.0.0`. */
  readonly apiVersion?: string
}

export interface Served {
  readonly url: string
  /**
   * Goes on for `drainMs`, then takes no more requests, finishes those under way, within `graceMs`, and stops listening.
   * The system stays open.
   */
  close(): Promise<void>
}

/**
 * Serves a system over HTTP.
 *
 * @throws `setup/missing-peer` where `fastify` is not installed · `http/unreadable-input`
 */
export async function serve(system: System, options: ServeOptions = {}): Promise<Served> {
  const { port = 0, host = '127.0.0.1', drainMs = 0, graceMs = 10_000, limits = {} } = options
  let phase: 'open' | 'draining' | 'closing' = 'open'
  const fastify = await makeFastify({
    bodyLimit: limits.maxBodyBytes ?? 1_048_576,
    serverFactory: listener => gatedServer(listener, limits, () => phase === 'closing'),
    clientErrorHandler: refuseUnreadable,
    frameworkErrors: answerWithProblem(options),
    return503OnClosing: false,
    routerOptions: { maxParamLength: 768 },
  })
  try {
    await compose(fastify, system, options, () => phase !== 'open')
    await fastify.listen({ port, host })
  } catch (error) {
    await fastify.close()
    throw error
  }
  const close = async (): Promise<void> => {
    phase = 'draining'
    if (drainMs > 0) await setTimeout(drainMs)
    phase = 'closing'
    await closeWithin(fastify, graceMs)
  }
  let closed: Promise<void> | undefined
  return {
    url: urlOf(fastify.server.address() as AddressInfo),
    close: () => {
      closed ??= close()
      return closed
    },
  }
}

async function makeFastify(options: FastifyServerOptions): Promise<FastifyInstance> {
  const { fastify } = await import('fastify').catch(cause => {
    throw new BifoldError('setup/missing-peer', { peer: 'fastify', purpose: 'serving over HTTP' }, { cause })
  })
  return fastify(options)
}

async function compose(
  fastify: FastifyInstance,
  system: System,
  options: ServeOptions,
  closing: () => boolean,
): Promise<void> {
  const { commands = true, queries = true, apiVersion, extend } = options
  const document = openApiOf(system.app, {
    commands,
    queries,
    ...(apiVersion !== undefined && { version: apiVersion }),
  })
  const text = JSON.stringify(document)
  fastify.setErrorHandler(answerWithProblem(options))
  fastify.setNotFoundHandler(() => {
    throw new BifoldError('http/not-found', {})
  })
  await extend?.(fastify)
  if (commands) await fastify.register(commandsPlugin(system, options))
  if (queries) await fastify.register(queriesPlugin(system, options))
  await fastify.register(healthPlugin(system, { ...options.health, judgeViews: queries }, closing))
  fastify.get('/openapi.json', (_, reply) => sendJson(reply, text))
}

async function closeWithin(fastify: FastifyInstance, graceMs: number): Promise<void> {
  const over = new AbortController()
  void setTimeout(graceMs, undefined, { signal: over.signal }).then(
    () => fastify.server.closeAllConnections(),
    () => undefined,
  )
  await fastify.close()
  over.abort()
}

function urlOf({ address, family, port }: AddressInfo): string {
  return `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`
}
