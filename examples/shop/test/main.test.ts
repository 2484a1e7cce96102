import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import type { Database } from '../../../test/support/databases.ts'
import { describePostgres, freshDatabase } from '../../../test/support/postgres.ts'
import { killShops, startShop } from './support/shop-process.ts'

const timeoutMs = 120_000

let directory: string

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'bifold-shop-'))
})

afterEach(killShops)

afterAll(() => rm(directory, { recursive: true, force: true }))

const settings = (more: Record<string, string> = {}) => ({
  PORT: '0',
  SHOP_RATE: '0',
  DATA_DIR: join(directory, 'data'),
  ...more,
})

function send(url: string, path: string, input: unknown): Promise<Response> {
  const headers = { 'content-type': 'application/json' }
  return fetch(`${url}/commands/${path}`, { method: 'POST', headers, body: JSON.stringify(input) })
}

const lines = [{ productId: 'enamel-mug', quantity: 2, unitPrice: 3_990, freight: 790 }]

/** Places an order in one process, and looks for it in the next. */
async function outlives(settings: Record<string, string>): Promise<void> {
  const first = startShop(settings)
  const placed = await send(await first.url, 'order/o-1/PlaceOrder', { customerId: 'ana', lines })
  expect(placed.status).toBe(200)
  const after = placed.headers.get('bifold-token') ?? ''
  first.stop('SIGTERM')
  expect(await first.ended).toEqual({ code: 0, stderr: '' })

  const second = startShop(settings)
  const url = await second.url
  const found = await fetch(`${url}/queries/order?orderId=o-1`, { headers: { 'bifold-after': after } })
  expect(await found.json()).toMatchObject({ orderId: 'o-1', status: 'placed', lines, total: 8_770 })
  const { position } = (await (await fetch(`${url}/shop/stats`)).json()) as { position: number }
  expect(position).toBe(25) // 24 products, stocked once, and the order
  second.stop('SIGINT')
  expect((await second.ended).code).toBe(0)
}

test('an order outlives the process that took it, on the embedded database', () => outlives(settings()), timeoutMs)

describePostgres('on PostgreSQL', () => {
  let database: Database
  beforeAll(async () => {
    database = await freshDatabase()
  })
  afterAll(() => database?.drop())

  test(
    'an order outlives the process that took it',
    () => outlives(settings({ DATABASE_URL: database.url })),
    timeoutMs,
  )
})

test(
  'the shop ends with the shell that npm runs it in, and gives its directory back',
  async () => {
    const first = startShop(settings(), 'npm')
    await first.url
    first.stop('SIGTERM')
    await first.ended // only when nobody has its output open any more
    const second = startShop(settings())
    await second.url
    second.stop('SIGTERM')
    expect((await second.ended).stderr).toBe('')
  },
  timeoutMs,
)

test(
  'a second shop on the same directory says who has it',
  async () => {
    const first = startShop(settings())
    await first.url
    const { code, stderr } = await startShop(settings()).ended
    expect(code).toBe(1)
    expect(stderr).toMatch(/^embedded\/directory-locked: .*process \d+/)
  },
  timeoutMs,
)

test(
  'a port that is taken is named, and nothing stays open',
  async () => {
    const taken = createServer().listen(0, '127.0.0.1')
    await new Promise(resolve => taken.once('listening', resolve))
    const { port } = taken.address() as { port: number }
    const { code, stderr } = await startShop(settings({ PORT: String(port) })).ended
    taken.close()
    expect(code).toBe(1)
    expect(stderr).toBe(`shop/port-in-use: The port ${port} is taken. Give another one in PORT, or 0 for a free one.\n`)
  },
  timeoutMs,
)

test(
  'a database that cannot be reached ends the start with a code',
  async () => {
    const nobody = 'postgres://nobody@127.0.0.1:1/shop'
    const { code, stderr } = await startShop(settings({ DATABASE_URL: nobody })).ended
    expect(code).toBe(1)
    expect(stderr).toMatch(/^log\/connection-lost: .*ECONNREFUSED/)
  },
  timeoutMs,
)
