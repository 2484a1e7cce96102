import { once } from 'node:events'
import { Agent, request as httpRequest, type ServerResponse } from 'node:http'
import { connect } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { bank } from '../../test/support/bank.ts'
import { run, type System } from '../run/index.ts'
import { inMemory } from '../stores/memory/index.ts'
import { type ServeOptions, serve } from './serve.ts'

let system: System

beforeAll(async () => {
  system = await run(bank, { on: inMemory() })
})

afterAll(() => system.close())

test('a port that is taken is an error, and leaves nothing open', async () => {
  const first = await serve(system)
  const port = Number(new URL(first.url).port)
  let closed = false
  const failing = serve(system, {
    port,
    extend: fastify => {
      fastify.addHook('onClose', async () => {
        closed = true
      })
    },
  })
  await expect(failing).rejects.toMatchObject({ code: 'EADDRINUSE' })
  expect(closed).toBe(true)
  await first.close()
})

describe('a server that closes', () => {
  /** A server with a route that answers only when it is told to. */
  async function startSlow(options: ServeOptions, begin: (raw: ServerResponse) => void) {
    const entered = Promise.withResolvers<ServerResponse>()
    const slow = await serve(system, {
      ...options,
      extend: fastify => {
        fastify.get('/slow', (_, reply) => {
          reply.hijack()
          begin(reply.raw)
          entered.resolve(reply.raw)
        })
      },
    })
    return { slow, entered: entered.promise }
  }

  test('finishes what is under way, lets go of idle connections, and stops listening', async () => {
    const { slow, entered } = await startSlow({}, () => undefined)
    const idle = new Agent({ keepAlive: true })
    await once(httpRequest(`${slow.url}/health/live`, { agent: idle }).end(), 'response')
    const answer = fetch(`${slow.url}/slow`)
    const raw = await entered
    const closed = slow.close()
    const large = 'x'.repeat(20_000_000)
    raw.end(large)
    expect(await (await answer).text()).toHaveLength(large.length)
    await closed
    idle.destroy()
    await expect(fetch(slow.url)).rejects.toThrow()
  })

  test('does not cut off an answer that is still being sent', async () => {
    const { slow, entered } = await startSlow({}, () => undefined)
    const answer = fetch(`${slow.url}/slow`)
    const raw = await entered
    const large = 'x'.repeat(20_000_000)
    raw.end(large)
    const closed = slow.close()
    expect(await (await answer).text()).toHaveLength(large.length)
    await closed
  })

  test('refuses a request that comes on a connection in use', async () => {
    const { slow, entered } = await startSlow({}, raw => raw.write('begun'))
    const { hostname, port } = new URL(slow.url)
    const socket = connect(Number(port), hostname)
    const chunks: Buffer[] = []
    socket.on('data', chunk => chunks.push(chunk))
    socket.write(`GET /slow HTTP/1.1\r\nhost: ${hostname}\r\n\r\n`)
    const raw = await entered
    const closed = slow.close()
    const seen = once(raw.req.socket, 'data')
    socket.write(`GET /health/ready HTTP/1.1\r\nhost: ${hostname}\r\n\r\n`)
    await seen
    raw.end('done')
    await once(socket, 'end')
    await closed
    expect(Buffer.concat(chunks).toString()).toContain('"code":"http/closing"')
  })

  test('goes on while it drains, and is not ready', async () => {
    const draining = await serve(system, { drainMs: 1000 })
    const closed = draining.close()
    const ready = await fetch(`${draining.url}/health/ready`)
    expect(ready.status).toBe(503)
    expect(await ready.json()).toMatchObject({ status: 'not-ready', reasons: ['closing'] })
    expect((await fetch(`${draining.url}/queries/accounts-by-ids?ids=a`)).status).toBe(200)
    await closed
  })

  test('cuts off what takes longer than its grace', async () => {
    const { slow, entered } = await startSlow({ graceMs: 50 }, () => undefined)
    const request = httpRequest(`${slow.url}/slow`).end()
    const failed = once(request, 'error')
    await entered
    await slow.close()
    expect((await failed)[0]).toMatchObject({ code: 'ECONNRESET' })
  })
})
