import { setTimeout } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { bank } from '../../test/support/bank.ts'
import { describeOwnServer } from '../../test/support/postgres.ts'
import { type Server, startServer } from '../../test/support/server.ts'
import { postgres } from '../postgres/index.ts'
import { run, type System } from '../run/index.ts'
import { type Served, serve } from './serve.ts'

describeOwnServer('while the database is gone', () => {
  let database: Server
  let system: System
  let served: Served

  beforeAll(async () => {
    database = await startServer()
    system = await run(bank, { on: postgres({ url: database.url }) })
    served = await serve(system, { onUnexpected: () => undefined, health: { timeoutMs: 500 } })
  })

  afterAll(async () => {
    await served.close()
    await system.close()
    await database.stop()
  })

  const ready = () => fetch(`${served.url}/health/ready`)

  test('a server is live and not ready, and ready again afterwards by itself', async () => {
    while ((await ready()).status !== 200) await setTimeout(20)
    await database.halt('immediate')

    const unready = await ready()
    expect(unready.status).toBe(503)
    expect(await unready.json()).toMatchObject({ status: 'not-ready', reasons: ['log-unreachable'] })
    expect((await fetch(`${served.url}/health/live`)).status).toBe(200)
    const asked = await fetch(`${served.url}/queries/account-by-id?id=a`)
    expect(asked.status).toBe(503)
    expect(asked.headers.get('retry-after')).toBe('1')
    expect(await asked.json()).toMatchObject({ code: 'project/store-unreachable' })

    await database.start()
    while ((await ready()).status !== 200) await setTimeout(20)
    expect((await fetch(`${served.url}/queries/account-by-id?id=a`)).status).toBe(404)
  })
})
