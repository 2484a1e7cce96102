import type { System } from 'bifold'
import { type Caller, type Served, serve } from 'bifold/http'
import type { FastifyRequest } from 'fastify'

/** Whoever a request's credentials belong to. */
type Authenticate = (credentials: string | undefined) => Promise<Caller | undefined>

export async function start(system: System, authenticate: Authenticate): Promise<Served> {
  const callers = new WeakMap<FastifyRequest, Caller>()
  return await serve(system, {
    port: 8080,
    extend: fastify => {
      fastify.addHook('onRequest', async request => {
        const caller = await authenticate(request.headers.authorization)
        if (caller === undefined) throw Object.assign(new Error('Log in first.'), { statusCode: 401 })
        callers.set(request, caller)
      })
    },
    identify: request => callers.get(request) ?? {},
  })
}
