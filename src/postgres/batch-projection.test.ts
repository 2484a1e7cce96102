import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { Account, AccountEvents, bank } from '../../test/support/bank.ts'
import { describePostgres, freshDatabase } from '../../test/support/postgres.ts'
import { type App, app, query } from '../define/index.ts'
import { defaultTenant, systemRuntime } from '../log/index.ts'
import { type Backend, viewShapeOf } from '../project/index.ts'
import { run, type System } from '../run/index.ts'
import { inMemory } from '../stores/memory/index.ts'
import { foldLaws } from '../testing/index.ts'
import { explain, plan, rowAt, verify } from '../verify/index.ts'
import { type BatchClient, batchProjection, batchQuery, embedded, postgres } from './index.ts'

let names = 0

/** Every movement of money as a line, numbered by the database, and how many batches there were. */
function ledger(
  guard: (ids: readonly string[], client: BatchClient<unknown>) => Promise<void> | void = () => undefined,
) {
  const Ledger = batchProjection(`ledger-${++names}`, {
    from: [AccountEvents],
    tables: {
      lines: {
        columns: 'number bigint generated always as identity, position bigint primary key, account text, amount bigint',
        indexes: ['account, position'],
      },
      batches: { columns: 'first bigint primary key, events integer' },
    },
    handle: async (events, client) => {
      const moved = events.flatMap(event =>
        event.type === 'MoneyDeposited' ? [[event.position, event.streamId, event.data.amount] as const] : [],
      )
      await client.query(
        `insert into ${client.tables.lines} (position, account, amount) select * from unnest($1::bigint[], $2::text[], $3::bigint[])`,
        [0, 1, 2].map(at => moved.map(line => line[at])),
      )
      await client.query(`insert into ${client.tables.batches} values ($1, $2)`, [events[0]?.position, events.length])
      await guard(
        events.map(({ streamId }) => streamId),
        client,
      )
    },
  })
  const balance = batchQuery(`balance-${names}`, {
    from: Ledger,
    input: z.object({ account: z.string() }),
    run: async ({ query, tables, tenant }, { account }) => {
      const [found] = await query<{ sum: string; lines: number }>(
        `select coalesce(sum(amount), 0)::text as sum, count(*)::integer as lines from ${tables.lines} where account = $1`,
        [account],
      )
      return { tenant, sum: Number(found?.sum), lines: found?.lines }
    },
  })
  return { Ledger, balance, app: app('ledgers', { ...bank, projections: [Ledger], queries: [balance] }) }
}

function batchContract(name: string, open: () => Promise<Backend>): void {
  describe(`batch projections: ${name}`, () => {
    let backend: Backend
    let systems: System[] = []
    beforeAll(async () => {
      backend = await open()
    })
    afterEach(async () => {
      await Promise.all(systems.map(system => system.close()))
      systems = []
    })
    afterAll(() => backend.close())

    /** Several in turn on one database; the batches are small. */
    const start = async (of: App, batchEvents = 7): Promise<System> => {
      const keep = async (): Promise<void> => undefined
      const on = {
        log: { ...backend.log, close: keep },
        views: { ...backend.views, close: keep },
        close: keep,
      }
      const projections = {
        minBatchEvents: batchEvents,
        maxBatchEvents: batchEvents,
        retry: { minDelayMs: 1, maxDelayMs: 20 },
      }
      const system = await run(of, { on, projections })
      systems.push(system)
      return system
    }
    let accounts = 0
    async function deposits(system: System, count: number): Promise<{ account: string; token: string }> {
      const account = `account-${name}-${accounts++}`
      let { token } = await system.dispatch(Account, account, 'OpenAccount', { owner: 'Ada' })
      for (let n = 1; n <= count; n++) token = (await system.dispatch(Account, account, 'Deposit', { amount: n })).token
      return { account, token }
    }

    test('every event is handed over once, and a query with a token reads what was written', async () => {
      const { app: of, balance } = ledger()
      const system = await start(of)
      for (let round = 1; round <= 3; round++) {
        const { account, token } = await deposits(system, 10)
        const { value, asOf } = await system.query(balance, { account }, { after: token })
        expect(value).toEqual({ tenant: defaultTenant, sum: 55, lines: 10 })
        expect(asOf).toBeGreaterThanOrEqual(Number(token.split('.')[1]))
      }
      expect(JSON.parse((await system.queryText(balance.name, { account: 'nobody' })).value)).toMatchObject({
        lines: 0,
      })
      expect(await system.status()).toMatchObject([{ state: 'live', behind: 0 }])
    })

    test('a statement that fails and that nobody minds fails its batch, and nothing of that is said to be there', async () => {
      let isCareless = true
      const {
        app: of,
        balance,
        Ledger,
      } = ledger(async (_, { query }) => {
        if (isCareless) await query('select 1 / 0').catch(() => undefined)
      })
      const system = await start(of)
      const { account, token } = await deposits(system, 3)
      const wait = { after: token, waitMs: 500 }
      await expect(system.query(balance, { account }, wait)).rejects.toMatchObject({
        code: 'query/timeout',
        data: { failure: 'project/batch-failed' },
      })
      const view = await backend.views.open(viewShapeOf(Ledger))
      expect(await view.checkpoint(0)).toMatchObject({ position: 0 })
      isCareless = false
      expect((await system.query(balance, { account }, { after: token })).value).toMatchObject({ lines: 3 })
    })

    test('a statement that fails behind a savepoint leaves what stands before it', async () => {
      const { app: of, balance } = ledger(async (_, { query }) => {
        await query('savepoint careful')
        await query('select 1 / 0').catch(() => query('rollback to savepoint careful'))
      })
      const system = await start(of)
      const { account, token } = await deposits(system, 3)
      expect((await system.query(balance, { account }, { after: token })).value).toMatchObject({ lines: 3 })
    })

    test('a client that is kept does nothing once its batch is over', async () => {
      const kept: (() => Promise<unknown>)[] = []
      const { app: of, balance } = ledger((_, { query }) => {
        kept.push(() => query('select 1'))
      })
      const system = await start(of)
      const { account, token } = await deposits(system, 1)
      await system.query(balance, { account }, { after: token })
      await expect(kept[0]?.()).rejects.toMatchObject({ code: 'project/client-returned' })
    })

    test('what is handled and the checkpoint are one: a batch that fails leaves nothing, and is handled again', async () => {
      let failures = 0
      const { app: of, balance } = ledger(() => {
        if (failures++ % 2 === 0) throw new Error('at the very end')
      })
      const system = await start(of)
      const { account, token } = await deposits(system, 20)
      const { value } = await system.query(balance, { account }, { after: token })
      expect(value).toMatchObject({ sum: 210, lines: 20 })
      expect(failures).toBeGreaterThan(2)
    })

    test('a batch that was begun by one that lost the shard writes nothing', async () => {
      const { app: of, Ledger, balance } = ledger()
      const view = await backend.views.open(viewShapeOf(Ledger))
      const { epoch, ...from } = await view.claim(0)
      await view.claim(0)
      let handled = false
      const outcome = await view.commit({
        ...{ shard: 0, epoch, from, to: { position: 1, fingerprint: '000000000000' }, upserts: [], deletes: [] },
        within: async () => {
          handled = true
        },
      })
      expect([outcome, handled]).toEqual(['fenced', false])
      const system = await start(of)
      const { account, token } = await deposits(system, 3)
      expect((await system.query(balance, { account }, { after: token })).value).toMatchObject({ lines: 3 })
    })

    test('one that goes on failing stands at its event, with everything before it, and says which; it is not parked', async () => {
      let isBroken = true
      const {
        app: of,
        Ledger,
        balance,
      } = ledger(ids => {
        if (isBroken && ids.includes('poison')) throw new TypeError('no')
      })
      const system = await start(of, 50)
      // What comes meanwhile is one page.
      await system.pause(Ledger)
      const before = await deposits(system, 4)
      const poison = await system.dispatch(Account, 'poison', 'OpenAccount', { owner: 'Eve' }, { tenant: name })
      await deposits(system, 2)
      await system.resume(Ledger)
      for (;;) {
        const [status] = await system.status()
        if (status?.position === poison.position - 1 && status.state === 'failed') {
          expect(status.failure).toMatchObject({
            code: 'project/batch-failed',
            event: { position: poison.position, type: 'AccountOpened' },
          })
          expect(status.failure?.message).toContain('TypeError')
          break
        }
        await systemRuntime.turn()
      }
      expect((await system.query(balance, { account: before.account })).value).toMatchObject({ lines: 4 })
      const failing = system.query(balance, { account: '' }, { after: poison.token, waitMs: 1 })
      await expect(failing).rejects.toMatchObject({ data: { failure: 'project/batch-failed' } })
      isBroken = false
      expect((await system.query(balance, { account: '' }, { after: poison.token })).stale).toBe(false)
    })

    test('reset, its tables are emptied and filled again', async () => {
      const { app: of, Ledger, balance } = ledger()
      const system = await start(of, 50)
      const { account, token } = await deposits(system, 5)
      expect((await system.query(balance, { account }, { after: token })).value).toMatchObject({ lines: 5 })
      await system.pause(Ledger)
      await system.reset(Ledger)
      expect(await system.query(balance, { account })).toMatchObject({ value: { lines: 0 }, asOf: 0 })
      await system.resume(Ledger)
      expect((await system.query(balance, { account }, { after: token })).value).toMatchObject({ lines: 5 })
    })

    test('another version has tables of its own; those of the first are dropped with it', async () => {
      const { app: of, Ledger } = ledger()
      await start(of)
      const next = { ...Ledger, version: 2 }
      expect((await backend.views.open(viewShapeOf(next))).generation).toBe(2)
      expect(await backend.views.drop(Ledger.name, 2)).toBe('dropped')
    })

    test('rebuilt, its tables are filled beside the old ones, and a query sees them when they are whole', async () => {
      const { app: of, Ledger, balance } = ledger()
      const system = await start(of)
      const { account, token } = await deposits(system, 12)
      await system.query(balance, { account }, { after: token })
      const generation = await system.rebuild(Ledger)
      for (;;) {
        expect((await system.query(balance, { account })).value).toMatchObject({ sum: 78, lines: 12 })
        const [status] = await system.status()
        if (status?.generation === generation) break
        await systemRuntime.turn()
      }
      expect((await system.query(balance, { account }, { after: token })).value).toMatchObject({ sum: 78, lines: 12 })
    })

    test('a release with other tables is answered from its own, and the release before from the old ones', async () => {
      const { app: of, Ledger, balance } = ledger()
      const before = await start(of)
      const { account, token } = await deposits(before, 6)
      const ask = () => before.query(balance, { account }, { after: token })
      expect((await ask()).value).toMatchObject({ sum: 21 })
      const Next = batchProjection(Ledger.name, {
        from: [AccountEvents],
        version: 2,
        tables: { sums: { columns: 'account text primary key, deposits bigint not null' } },
        handle: async (events, { query, tables }) => {
          for (const { type, streamId } of events) {
            if (type !== 'MoneyDeposited') continue
            await query(
              `insert into ${tables.sums} as s values ($1, 1) on conflict (account) do update set deposits = s.deposits + 1`,
              [streamId],
            )
          }
        },
      })
      const count = batchQuery('count-deposits', {
        from: Next,
        input: z.object({ account: z.string() }),
        run: ({ query, tables }, input) =>
          query<{ deposits: number }>(`select deposits from ${tables.sums} where account = $1`, [input.account]),
      })
      const after = await start(app('next', { ...bank, projections: [Next], queries: [count] }))
      expect((await after.query(count, { account }, { after: token })).value).toEqual([{ deposits: 6 }])
      expect((await ask()).value).toMatchObject({ sum: 21, lines: 6 })
    })

    test('what only a fold gives is refused by its code', async () => {
      const { app: of, Ledger } = ledger()
      const system = await start(of)
      for (const refused of [
        () => verify(system, Ledger),
        () => explain(system, Ledger, 'a'),
        () => rowAt(system, Ledger, 'a', 0),
        () => plan(system, Ledger),
        () => foldLaws(Ledger, { events: [] }),
      ]) {
        await expect(refused()).rejects.toMatchObject({ code: 'project/no-fold', data: { projection: Ledger.name } })
      }
    })
  })
}

batchContract('pglite', () => embedded())
describePostgres('on PostgreSQL', () => {
  let drop: () => Promise<void>
  afterAll(() => drop())
  batchContract('postgres', async () => {
    const fresh = await freshDatabase()
    drop = fresh.drop
    return postgres({ url: fresh.url })
  })
})

describe('a definition', () => {
  test('is refused by a store that it is not written for', async () => {
    await expect(run(ledger().app, { on: inMemory() })).rejects.toMatchObject({
      code: 'project/wrong-store',
      data: { needs: 'postgres', store: 'memory' },
    })
  })

  test.each(['Lines', 'a b', 'x'.repeat(60)])('with a table named %s is refused', table => {
    const Odd = batchProjection('odd', {
      from: [AccountEvents],
      tables: { [table]: { columns: 'a text' } },
      handle: async () => undefined,
    })
    expect(() => app('odd', { ...bank, projections: [Odd], queries: [] })).toThrow(
      expect.objectContaining({ code: 'define/invalid-name' }),
    )
  })

  test('is no source of rows for a query by key', () => {
    const { Ledger, app: of } = ledger()
    const byKey = query('by-key', { from: Ledger, input: z.object({}), get: () => 'a' })
    expect(() => app('odd', { ...of, queries: [byKey] })).toThrow(
      expect.objectContaining({ code: 'define/invalid-definition' }),
    )
  })
})
