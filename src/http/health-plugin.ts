import type { FastifyPluginAsync } from 'fastify'
import type { ProjectionStatus } from '../project/index.ts'
import type { System } from '../run/index.ts'
import { sendJson } from './answers.ts'
import { type Health, type HealthOptions, judge } from './health.ts'

/**
 * `GET /health/live`: this process answers. `GET /health/ready`: it should be sent requests; the body says how far each
 * view is behind, and why where the answer is 503.
 *
 * @param closing is the server shutting down?
 */
export function healthPlugin(system: System, options: HealthOptions = {}, closing = () => false): FastifyPluginAsync {
  return async fastify => {
    fastify.get('/health/live', (_, reply) => sendJson(reply, '{"status":"live"}'))
    fastify.get('/health/ready', async (_, reply) => {
      const health = judge(await statusWithin(system, options.timeoutMs ?? 2000), closing(), options)
      return sendJson(reply.code(health.status === 'ready' ? 200 : 503), JSON.stringify(health satisfies Health))
    })
  }
}

/** Where the projections stand; `undefined` where the log does not say so in time. */
async function statusWithin(system: System, timeoutMs: number): Promise<readonly ProjectionStatus[] | undefined> {
  const { promise: late, resolve } = Promise.withResolvers<undefined>()
  const timer = setTimeout(resolve, timeoutMs, undefined)
  try {
    return await Promise.race([Promise.all([system.status(), system.log.head()]).then(([status]) => status), late])
  } catch {
    return undefined
  } finally {
    clearTimeout(timer)
  }
}
