import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Database } from './databases.ts'
import { describeOwnServer, describePostgres, freshDatabase } from './postgres.ts'
import { type Server, startServer } from './server.ts'

async function ask(url: string, query: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    return (await client.query(query)).rows
  } finally {
    await client.end()
  }
}

describePostgres('the server of a test run', () => {
  let database: Database

  beforeAll(async () => {
    database = await freshDatabase()
  })
  afterAll(() => database.drop())

  test('a fresh database is empty, and another one does not see its tables', async () => {
    await ask(database.url, 'create table seen (id int)')
    const other = await freshDatabase()
    expect(await ask(other.url, `select * from pg_tables where schemaname = 'public'`)).toEqual([])
    await other.drop()
  })
})

describeOwnServer("a test's own server", () => {
  let server: Server

  beforeAll(async () => {
    server = await startServer()
  })
  afterAll(() => server.stop())

  test('committed rows outlive a crash of the server, and its address stays the same', async () => {
    await ask(server.url, 'create table kept (id int)')
    for (const mode of ['immediate', 'kill'] as const) {
      await ask(server.url, `insert into kept values (1)`)
      await server.halt(mode)
      await server.start()
    }
    expect(await ask(server.url, 'select count(*)::int from kept')).toEqual([{ count: 2 }])
  })

  test('a saved state can be put back', async () => {
    await ask(server.url, 'create table rewound (id int)')
    await server.halt()
    const restore = await server.save()
    await server.start()
    await ask(server.url, 'insert into rewound values (1)')
    await server.halt()
    await restore()
    await server.start()
    expect(await ask(server.url, 'select * from rewound')).toEqual([])
  })
})
