import { app, projection, run, type System } from 'bifold'
import { embedded, openPostgres, postgres } from 'bifold/postgres'
import { inMemory } from 'bifold/stores/memory'
import { type Plan, plan } from 'bifold/verify'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { Account, AccountEvents, Accounts, accountById, bank } from './support/bank.ts'
import { describePostgres, freshDatabase } from './support/postgres.ts'

/** Another balance for those over 50, no closed accounts, no `open`, and the first letter of the owner. */
const Changed = projection('accounts', {
  from: [AccountEvents],
  version: 2,
  shards: 3,
  state: z.object({ owner: z.string(), balance: z.int().nullable(), initial: z.string() }),
  on: {
    AccountOpened: (_, { data: { owner } }) => ({ owner, balance: 0, initial: owner.slice(0, 1) }),
    MoneyDeposited: (row, { data }) => row && { ...row, balance: Math.min(50, (row.balance ?? 0) + data.amount) },
    AccountClosed: () => null,
  },
  indexes: [['owner'], ['initial', 'owner']],
})

/** Only what people are owed: the same columns and version, folded otherwise. */
const Halved = {
  ...Accounts,
  on: {
    ...Accounts.on,
    MoneyDeposited: (row: { balance: number } | null, e: { data: { amount: number } }) =>
      row && { ...row, balance: row.balance + Math.floor(e.data.amount / 2) },
  },
}

const Owners = projection('owners', {
  from: [AccountEvents],
  key: { AccountOpened: ({ data }) => data.owner },
  state: z.object({ accounts: z.int() }),
  on: { AccountOpened: row => ({ accounts: (row?.accounts ?? 0) + 1 }) },
})

/** Rows that are made with those of another view. */
const greeted = (version: number, say: (owner: string, accounts: number) => string) =>
  projection('greeted', {
    from: [AccountEvents],
    version,
    state: z.object({ owner: z.string() }),
    on: { AccountOpened: (_, { data: { owner } }) => ({ owner }) },
    refs: { owner: { to: Owners, key: state => state.owner } },
    row: z.object({ text: z.string() }),
    present: (state, { owner }) => ({ text: say(state.owner, owner?.accounts ?? 0) }),
  })
const Greeted = greeted(1, owner => `Hello ${owner}`)

const books = app('books', { ...bank, projections: [Accounts], queries: [accountById] })
const joined = app('joined', { ...bank, projections: [Accounts, Owners, Greeted], queries: [accountById] })
const accounts = 40

/** What planning must tell on every backend. */
function planning(name: string, start: () => Promise<System>): void {
  describe(`on ${name}`, () => {
    let system: System
    beforeAll(async () => {
      system = await start()
      for (let n = 0; n < accounts; n++) {
        await system.dispatch(Account, `a-${n}`, 'OpenAccount', { owner: `Owner ${n % 7}` })
        if (n > 0) await system.dispatch(Account, `a-${n}`, 'Deposit', { amount: n * 2 })
        if (n % 10 === 9) await system.dispatch(Account, `a-${n}`, 'CloseAccount', {})
      }
      await system.drain()
    })
    afterAll(() => system.close())

    const generations = () => system.views.generations('accounts')

    test('the definition that serves changes nothing', async () => {
      const planned = await plan(system, Accounts)
      const { position, fingerprint } = (await generations())[0]!.checkpoints[0]!
      expect(planned).toMatchObject({
        ...{ projection: 'accounts', version: 1, generation: 1, builds: false, samples: [] },
        asOf: [{ position, fingerprint }],
        rows: { before: accounts, after: accounts, same: accounts, changed: 0, added: 0, removed: 0 },
        columns: { added: [], removed: [], changed: [] },
        takes: { events: position },
      })
    })

    test('a changed definition tells which rows and columns would change, with samples, and makes nothing', async () => {
      const { rows, columns, samples, builds, generation } = await plan(system, Changed, { maxSamples: 3 })
      expect([generation, builds]).toEqual([1, true])
      expect(rows).toEqual({ before: accounts, after: 36, same: 0, changed: 36, added: 0, removed: 4 })
      expect(columns).toEqual({ added: ['initial'], removed: ['open'], changed: ['balance'] })
      expect(samples.map(({ key }) => key)).toEqual(['a-0', 'a-1', 'a-10'])
      expect(samples[1]).toMatchObject({
        kind: 'changed',
        before: { owner: 'Owner 1', balance: 2, open: true },
        after: { owner: 'Owner 1', balance: 2, initial: 'O' },
      })
      expect(samples[1]?.changed).toEqual([
        { column: 'open', from: true, to: undefined },
        { column: 'initial', from: undefined, to: 'O' },
      ])
      expect((await plan(system, Changed, { maxSamples: 99 })).samples.at(-1)).toMatchObject({
        ...{ key: 'a-9', kind: 'removed', after: null },
      })
      expect(await generations()).toHaveLength(1)
    })

    test('a fold that changed without its version is told apart from one that builds', async () => {
      const { builds, rows, samples } = await plan(system, Halved)
      expect([builds, rows.same, rows.changed]).toEqual([false, 1, accounts - 1])
      expect(samples[0]?.changed).toEqual([{ column: 'balance', from: 2, to: 1 }])
    })

    test('a view to which another one begins to refer is built, with the same rows', async () => {
      const Named = projection('named', {
        from: [AccountEvents],
        state: z.object({ account: z.string() }),
        on: { AccountOpened: (_, { streamId }) => ({ account: streamId }) },
        refs: { account: { to: Accounts, key: ({ account }) => account } },
        row: z.object({ owner: z.string() }),
        present: (_, { account }) => ({ owner: account?.owner ?? '' }),
      })
      const { builds, rows } = await plan(system, Accounts, { projections: [Accounts, Named] })
      expect([builds, rows.changed]).toEqual([true, 0])
    })

    test('a view that is new is all rows that are added', async () => {
      const { generation, builds, rows, samples } = await plan(system, Owners)
      expect([generation, builds]).toEqual([null, true])
      expect(rows).toEqual({ before: 0, after: 7, same: 0, changed: 0, added: 7, removed: 0 })
      expect(samples[0]).toMatchObject({ key: 'Owner 0', kind: 'added', before: null, after: { accounts: 6 } })
      expect(await system.views.generations('owners')).toEqual([])
    })

    test('a definition that fails on an event says on which', async () => {
      const failing = { ...Changed, on: { ...Changed.on, AccountClosed: () => undefined as never } }
      await expect(plan(system, failing)).rejects.toMatchObject({
        code: 'project/invalid-row',
        data: { projection: 'accounts', type: 'AccountClosed' },
      })
    })

    test('is told the same with little memory, a part of the rows after the other', async () => {
      for (const one of [Accounts, Changed, Owners]) {
        const { takes, ...whole } = await plan(system, one)
        const inParts = await plan(system, one, { maxBytes: 4000, batchEvents: 7 })
        expect(inParts).toEqual({ ...whole, takes: { ...takes, ms: expect.any(Number) } })
      }
      await expect(plan(system, Changed, { maxBytes: 400 })).rejects.toMatchObject({ code: 'verify/too-large' })
    })

    test('rows are compared where the view stands, while commands go on', async () => {
      let going = true
      const writing = (async () => {
        for (let n = 0; going; n++) await system.dispatch(Account, `a-${n % 9}`, 'Deposit', { amount: 2 })
      })()
      for (let n = 0; n < 10; n++) expect((await plan(system, Accounts)).rows.same).toBe(accounts)
      going = false
      await writing
    })
  })
}

test('rows that are made with rows of another view are planned with them', async () => {
  const system = await run(joined, { on: inMemory() })
  const open = (n: number) => system.dispatch(Account, `a-${n}`, 'OpenAccount', { owner: `Owner ${n % 7}` })
  for (let n = 0; n < accounts; n++) await open(n)
  await system.drain()
  expect((await plan(system, Greeted)).rows).toMatchObject({ same: accounts, changed: 0 })
  const Richer = greeted(2, (owner, many) => `${many > 5 ? 'Welcome' : 'Hello'} ${owner}`)
  const { rows, samples } = await plan(system, Richer)
  // Six accounts each have the first five of seven owners.
  expect(rows).toMatchObject({ same: 10, changed: 30 })
  expect(samples[0]?.changed).toEqual([{ column: 'text', from: 'Hello Owner 0', to: 'Welcome Owner 0' }])
  await system.close()
})

describe('a plan for a view of which a key stands still', () => {
  const isBad = (name: string): boolean => name === 'Owner 3'
  /** Bad owners cannot be counted. */
  const careful = (version: number, step: number) =>
    projection('owners', {
      from: [AccountEvents],
      version,
      key: { AccountOpened: ({ data }) => data.owner },
      state: z.object({ accounts: z.int() }),
      on: {
        AccountOpened: (row, { data: { owner } }) => {
          if (isBad(owner)) throw new Error('bad')
          return { accounts: (row?.accounts ?? 0) + step }
        },
      },
    })
  const Counted = careful(1, 1)
  const GreetedOnes = projection('greeted', {
    ...Greeted,
    refs: { owner: { to: Counted, key: (state: { owner: string }) => state.owner } },
  } as never)
  const started = async (): Promise<System> => {
    const system = await run(app('careful', { ...bank, projections: [Counted, GreetedOnes], queries: [] }), {
      on: inMemory(),
      projections: { foldAttempts: 1, retry: { minDelayMs: 1, maxDelayMs: 2 }, requestPollMs: 2 },
    })
    for (let n = 0; n < accounts; n++)
      await system.dispatch(Account, `a-${n}`, 'OpenAccount', { owner: `Owner ${n % 7}` })
    await system.drain()
    return system
  }

  test('compares all others, and says that it would stand still again', async () => {
    const system = await started()
    const { rows, parkedKeys } = await plan(system, careful(2, 2))
    expect({ ...rows, parkedKeys }).toEqual({
      ...{ before: 6, after: 6, same: 0, changed: 6, added: 0, removed: 0, parkedKeys: 1 },
    })
    const mended = { ...careful(2, 1), on: { AccountOpened: () => ({ accounts: 1 }) } }
    expect(await plan(system, mended)).toMatchObject({ rows: { added: 1 }, parkedKeys: 0 })
    await system.close()
  })

  test('that others refer to is one for those, too, also when its events are skipped', async () => {
    const system = await started()
    expect(await plan(system, GreetedOnes)).toMatchObject({ rows: { same: accounts, changed: 0 }, parkedKeys: 0 })
    while ((await system.deadLetters.list({ projection: Counted })).length > 0) {
      await system.deadLetters.skip(Counted, 'Owner 3', { reason: 'nobody knows him' })
    }
    await system.drain()
    expect(await plan(system, GreetedOnes)).toMatchObject({ rows: { same: accounts, changed: 0 }, parkedKeys: 0 })
    await system.close()
  })
})

planning('memory', () => run(books, { on: inMemory() }))
planning('PGlite', () => run(books, { on: embedded() }))

describePostgres('with a server', () => {
  let database: Awaited<ReturnType<typeof freshDatabase>>
  beforeAll(async () => {
    database = await freshDatabase()
  })
  afterAll(() => database.drop())
  planning('PostgreSQL', () => run(books, { on: postgres({ url: database.url }) }))

  test('the space that was estimated is about what the rows take', async () => {
    const system = await run(books, { on: postgres({ url: database.url }) })
    const looking = await openPostgres(database.url)
    try {
      const opening = Array.from({ length: 3000 }, (_, n) =>
        system.dispatch(Account, `many-${n}`, 'OpenAccount', { owner: `Owner ${n} of an account with a name` }),
      )
      await Promise.all(opening)
      await system.drain()
      const { takes }: Plan = await plan(system, Accounts)
      const text = `select pg_total_relation_size('bifold_views.accounts__g1')::float8 as bytes`
      const [{ bytes } = { bytes: 0 }] = await looking.sql.query<{ bytes: number }>({ text })
      expect(takes.bytes / bytes).toBeGreaterThan(0.5)
      expect(takes.bytes / bytes).toBeLessThan(2)
      expect(takes.ms).toBeGreaterThan(0)
    } finally {
      await looking.close()
      await system.close()
    }
  })
})
