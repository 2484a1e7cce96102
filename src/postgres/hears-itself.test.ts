import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Account, bank } from '../../test/support/bank.ts'
import type { Database as TestDatabase } from '../../test/support/databases.ts'
import { describePostgres, freshDatabase } from '../../test/support/postgres.ts'
import { run } from '../run/index.ts'
import { postgres } from './index.ts'

/** Messages of a server that a pooler of transactions lets through: not notifications, which belong to no transaction. */
function withoutNotifications(): (chunk: Buffer) => Buffer {
  let rest: Buffer = Buffer.alloc(0)
  return chunk => {
    rest = Buffer.concat([rest, chunk])
    const passed: Buffer[] = []
    for (;;) {
      const length = rest.length < 5 ? Number.POSITIVE_INFINITY : 1 + rest.readInt32BE(1)
      if (rest.length < length) return Buffer.concat(passed)
      if (rest[0] !== 'A'.charCodeAt(0)) passed.push(rest.subarray(0, length))
      rest = rest.subarray(length)
    }
  }
}

describePostgres('whether a process hears what it notifies', () => {
  let database: TestDatabase
  const sockets = new Set<Socket>()
  const pooler = createServer(client => {
    const { hostname, port } = new URL(database.url)
    const server = connect(Number(port || 5432), hostname)
    const filter = withoutNotifications()
    for (const [one, other] of [
      [client, server],
      [server, client],
    ] as const) {
      sockets.add(one)
      one.on('error', () => other.destroy())
      one.on('close', () => other.destroy())
    }
    client.on('data', chunk => server.write(chunk))
    server.on('data', chunk => client.write(filter(chunk)))
  })
  beforeAll(async () => {
    database = await freshDatabase()
    await once(pooler.listen(0, '127.0.0.1'), 'listening')
  })
  afterAll(async () => {
    for (const socket of sockets) socket.destroy()
    await new Promise(resolve => pooler.close(resolve))
    await database.drop()
  })

  const warningsOn = async (url: string): Promise<readonly string[]> => {
    const warnings: string[] = []
    const system = await run(bank, { on: postgres({ url }), onWarning: ({ code }) => warnings.push(code) })
    // Whatever it is, commands are carried out and projected.
    await system.dispatch(Account, `a-${warnings.length}`, 'OpenAccount', { owner: 'Ada' })
    await system.drain()
    await system.close()
    return warnings
  }

  test('is warned of at the start where it does not, and all goes on', async () => {
    const url = new URL(database.url)
    url.hostname = '127.0.0.1'
    url.port = String((pooler.address() as AddressInfo).port)
    expect(await warningsOn(url.href)).toEqual(['setup/notifications-lost'])
  })

  test('is no matter where it does', async () => {
    expect(await warningsOn(database.url)).toEqual([])
  })
})
