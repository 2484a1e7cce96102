import { app, run, type System } from 'bifold'
import { embedded, postgres, sqlQuery } from 'bifold/postgres'
import { inMemory } from 'bifold/stores/memory'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { Account, Accounts, accountById, accountsByBalance, accountsByIds, bank } from './support/bank.ts'
import type { Database } from './support/databases.ts'
import { freshDirectory } from './support/directories.ts'
import { describePostgres, freshDatabase } from './support/postgres.ts'

/** A query in SQL, for the backends that have it. */
const totals = sqlQuery('totals', {
  views: { accounts: Accounts },
  input: z.object({ owner: z.string() }),
  run: (db, { owner }) =>
    db
      .selectFrom('accounts')
      .where('owner', '=', owner)
      .select(eb => [eb.fn.sum<number>('balance').as('total'), eb.fn.countAll<number>().as('accounts')])
      .executeTakeFirstOrThrow(),
})
const sqlBank = app('bank', { ...bank, queries: [...bank.queries, totals] })

/** Define, run, dispatch, query: the whole way, on every backend. */
function spine(name: string, start: () => Promise<System>, { sql }: { readonly sql: boolean }): void {
  describe(`on ${name}`, () => {
    let system: System
    beforeAll(async () => {
      system = await start()
    })
    afterAll(() => system.close())

    test('a query with the token of a command reads what the command wrote', async () => {
      const opened = await system.dispatch(Account, 'a-1', 'OpenAccount', { owner: 'Ada' })
      const first = await system.query(accountById, { id: 'a-1' }, { after: opened.token })
      expect(first).toMatchObject({ value: { owner: 'Ada', balance: 0, open: true }, stale: false })
      expect(first.asOf).toBeGreaterThanOrEqual(opened.position)
      for (let balance = 1; balance <= 20; balance++) {
        const { token } = await system.dispatch(Account, 'a-1', 'Deposit', { amount: 1 })
        const answer = await system.query(accountById, { id: 'a-1' }, { after: token })
        expect(answer.value).toEqual({ owner: 'Ada', balance, open: true })
      }
    })

    test('after draining, a query without a token reads everything that was written', async () => {
      const opened = await system.dispatch(Account, 'd-1', 'OpenAccount', { owner: 'Di' })
      await system.dispatch(Account, 'd-1', 'Deposit', { amount: 7 })
      const drained = await system.drain()
      expect(drained).toBeGreaterThan(opened.position)
      const { value, asOf } = await system.query(accountById, { id: 'd-1' })
      expect(value).toEqual({ owner: 'Di', balance: 7, open: true })
      expect(asOf).toBeGreaterThanOrEqual(drained)
    })

    test('many callers at once each read their own write', async () => {
      await Promise.all(
        Array.from({ length: 100 }, async (_, n) => {
          const id = `many-${n}`
          await system.dispatch(Account, id, 'OpenAccount', { owner: 'Mo' })
          const { token } = await system.dispatch(Account, id, 'Deposit', { amount: n + 1 })
          const { value } = await system.query(accountById, { id }, { after: token })
          expect(value?.balance).toBe(n + 1)
        }),
      )
    })

    test('every verb answers the same as text and as values', async () => {
      for (const [id, amount] of [
        ['t-1', 30],
        ['t-2', 10],
        ['t-3', 20],
      ] as const) {
        await system.dispatch(Account, id, 'OpenAccount', { owner: 'Text' })
        await system.dispatch(Account, id, 'Deposit', { amount })
      }
      const { token } = await system.dispatch(Account, 't-3', 'CloseAccount', {})
      const options = { after: token }
      const inputs = [
        [accountById, { id: 't-1' }],
        [accountById, { id: 'nobody' }],
        [accountsByIds, { ids: ['t-2', 'nobody', 't-1', 't-2'] }],
        [accountsByIds, { ids: [] }],
        [accountsByBalance, { owner: 'Text' }],
        [accountsByBalance, { owner: 'Text', order: 'desc' as const, limit: 2 }],
        [accountsByBalance, { owner: 'Nobody' }],
      ] as const
      for (const [query, input] of inputs) {
        const { value } = await system.query(query as typeof accountById, input as { id: string }, options)
        const text = await system.queryText(query.name, input, options)
        expect(JSON.parse(text.value)).toEqual(value)
      }
      expect((await system.query(accountsByIds, { ids: ['t-2', 'nobody', 't-1'] }, options)).value).toEqual([
        { owner: 'Text', balance: 10, open: true },
        null,
        { owner: 'Text', balance: 30, open: true },
      ])
      expect((await system.query(accountsByBalance, { owner: 'Text' }, options)).value).toEqual({
        rows: [
          { owner: 'Text', balance: 10, open: true },
          { owner: 'Text', balance: 20, open: false },
          { owner: 'Text', balance: 30, open: true },
        ],
        next: null,
      })
    })

    test('pages by cursor are the one big list, in both orders', async () => {
      const owner = 'Pat'
      let token = ''
      for (let n = 0; n < 25; n++) {
        await system.dispatch(Account, `page-${n}`, 'OpenAccount', { owner })
        token = (await system.dispatch(Account, `page-${n}`, 'Deposit', { amount: 1 + (n % 4) })).token
      }
      for (const order of ['asc', 'desc'] as const) {
        for (const atLeast of [undefined, 2]) {
          const input = { owner, order, atLeast }
          const { value: all } = await system.query(accountsByBalance, { ...input, limit: 1000 }, { after: token })
          expect(all.next).toBeNull()
          expect(all.rows).toHaveLength(atLeast === undefined ? 25 : 18)
          const rows = []
          for (let cursor: string | null | undefined; cursor !== null; ) {
            const page = await system.query(accountsByBalance, { ...input, limit: 7, cursor })
            rows.push(...page.value.rows)
            cursor = page.value.next
          }
          expect(rows).toEqual(all.rows)
        }
      }
    })

    if (sql) {
      test('a query in SQL reads its own write, of its own tenant', async () => {
        for (const tenant of ['one', 'two']) {
          await system.dispatch(Account, 's-1', 'OpenAccount', { owner: 'Sue' }, { tenant })
          await system.dispatch(Account, 's-2', 'OpenAccount', { owner: 'Sue' }, { tenant })
          await system.dispatch(Account, 's-1', 'Deposit', { amount: 40 }, { tenant })
        }
        const { token, position } = await system.dispatch(Account, 's-2', 'Deposit', { amount: 2 }, { tenant: 'one' })
        const answer = await system.query(totals, { owner: 'Sue' }, { after: token, tenant: 'one' })
        expect(answer).toMatchObject({ value: { total: 42, accounts: 2 }, stale: false })
        expect(answer.asOf).toBeGreaterThanOrEqual(position)
        const text = await system.queryText('totals', { owner: 'Sue' }, { tenant: 'two' })
        expect(JSON.parse(text.value)).toEqual({ total: 40, accounts: 2 })
      })
    }

    test('the status says that the view is at the head', async () => {
      const { token } = await system.dispatch(Account, 'status', 'OpenAccount', { owner: 'Sam' })
      await system.query(accountById, { id: 'status' }, { after: token })
      expect(await system.status()).toMatchObject([{ projection: 'accounts', state: 'live', behind: 0 }])
    })
  })
}

spine('memory', () => run(bank, { on: inMemory() }), { sql: false })

const directory = await freshDirectory()
afterAll(directory.remove)
spine('PGlite', () => run(sqlBank, { on: embedded({ directory: directory.path }) }), { sql: true })

describePostgres('with a server', () => {
  let database: Database
  beforeAll(async () => {
    database = await freshDatabase()
  })
  afterAll(() => database.drop())
  spine('PostgreSQL', () => run(sqlBank, { on: postgres({ url: database.url }) }), { sql: true })
})
