import { app, projection, run, type System } from 'bifold'
import { embedded, openPostgres, postgres } from 'bifold/postgres'
import { inMemory } from 'bifold/stores/memory'
import { plan } from 'bifold/verify'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { Account, AccountEvents, bank } from './support/bank.ts'
import { describePostgres, freshDatabase } from './support/postgres.ts'

const state = z.object({ owner: z.string(), balance: z.int(), open: z.boolean() })
const perOpen = { by: (row: z.output<typeof state>) => (row.open ? 'open' : 'closed'), sum: () => ({ accounts: 1 }) }

const Sums = projection('sums', {
  from: [AccountEvents],
  shards: 2,
  state,
  on: {
    AccountOpened: (_, { data }) => ({ owner: data.owner, balance: 0, open: true }),
    MoneyDeposited: (row, { data }) => row && { ...row, balance: row.balance + data.amount },
    AccountClosed: row => row && { ...row, open: false },
  },
  rollups: {
    perOwner: { by: row => row.owner, sum: row => ({ accounts: 1, money: row.balance }) },
    perOpen,
    perSize: { by: row => (row.balance >= 50 ? 'large' : null), sum: row => ({ money: row.balance }) },
  },
})

/** Balances up to 50, no closed accounts, another size, in other shards. */
const Changed = projection('sums', {
  from: [AccountEvents],
  version: 2,
  shards: 3,
  state,
  on: {
    AccountOpened: (_, { data }) => ({ owner: data.owner, balance: 0, open: true }),
    MoneyDeposited: (row, { data }) => row && { ...row, balance: Math.min(50, row.balance + data.amount) },
    AccountClosed: () => null,
  },
  rollups: {
    perOwner: { by: row => row.owner, sum: row => ({ money: row.balance, accounts: 1 }) },
    perOpen,
    perSize: {
      by: row => (row.balance >= 50 ? 'large' : row.balance >= 40 ? 'middle' : null),
      sum: row => ({ money: row.balance }),
    },
  },
})

/** One rollup more, one less, and one whose sums are named otherwise. */
const Renamed = projection('sums', {
  from: [AccountEvents],
  version: 2,
  state,
  on: Sums.on as never,
  rollups: {
    perOpen,
    perOwner: { by: row => row.owner, sum: row => ({ accounts: 1, total: row.balance }) },
    perInitial: { by: row => row.owner.slice(0, 1), sum: () => ({ accounts: 1 }) },
  },
})

/** The same rows and sums, of which the deposits are counted in cents: under the same version. */
const InCents = {
  ...Sums,
  rollups: {
    ...Sums.rollups,
    perOwner: {
      by: (row: z.output<typeof state>) => row.owner,
      sum: (row: z.output<typeof state>) => ({ accounts: 1, money: row.balance * 100 }),
    },
  },
}

/** Rows without any sums. */
const Plain = projection('plain', { from: [AccountEvents], state, on: Sums.on as never })
const Summed = projection('plain', {
  from: [AccountEvents],
  version: 2,
  state,
  on: Sums.on as never,
  rollups: { perOpen },
})

const New = projection('new-sums', { from: [AccountEvents], state, on: Sums.on as never, rollups: { perOpen } })

const summed = app('summed', { aggregates: bank.aggregates, projections: [Sums, Plain] })
const accounts = 40

const same = (many: number) => ({ before: many, after: many, same: many, changed: 0, added: 0, removed: 0 })

/** What each owner has, of accounts that are so, by plain sums. */
function perOwner(owner: number, counts: (n: number) => boolean, balance: (n: number) => number) {
  const own = Array.from({ length: accounts }, (_, n) => n).filter(n => n % 7 === owner && counts(n))
  const money = own.reduce((sum, n) => sum + balance(n), 0)
  return { accounts: String(own.length), money: String(money) }
}

/** What planning must tell of rollups on every backend. */
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
      await system.dispatch(Account, 'a', 'OpenAccount', { owner: 'Owner 0' }, { tenant: 'other' })
      await system.drain()
    })
    afterAll(() => system.close())

    test('the definition that serves changes no group', async () => {
      const { rollups } = await plan(system, Sums)
      // Of two tenants, one has seven owners, and accounts that are closed and that are large.
      expect(rollups).toEqual({ added: [], removed: [], changed: [], groups: same(7 + 2 + 1 + 2), samples: [] })
    })

    test('groups that would change are told with what they sum up to, over all shards, before and after', async () => {
      const { rollups } = await plan(system, Changed, { maxSamples: 99 })
      const { samples, ...counted } = rollups
      expect(counted).toEqual({
        ...{ added: [], removed: [], changed: [] },
        groups: { before: 12, after: 12, same: 3, changed: 8, added: 1, removed: 1 },
      })
      const [all, some] = [() => true, (n: number) => n % 10 !== 9]
      const of = { tenant: 'default' }
      expect(samples).toEqual([
        { rollup: 'perOpen', ...of, group: 'closed', kind: 'removed', before: { accounts: '4' }, after: null },
        ...Array.from({ length: 7 }, (_, owner) => ({
          ...{ rollup: 'perOwner', ...of, group: `Owner ${owner}`, kind: 'changed' },
          before: perOwner(owner, all, n => n * 2),
          after: perOwner(owner, some, n => Math.min(50, n * 2)),
        })),
        // Of 25 up to 39, those that are closed go: 29 and 39.
        {
          ...{ rollup: 'perSize', ...of, group: 'large', kind: 'changed' },
          before: { money: '960' },
          after: { money: '650' },
        },
        // 20 up to 24.
        { ...{ rollup: 'perSize', ...of, group: 'middle', kind: 'added' }, before: null, after: { money: '220' } },
      ])
      expect((await plan(system, Changed, { maxSamples: 2 })).rollups).toEqual({
        ...rollups,
        samples: samples.slice(0, 2),
      })
    })

    test('rollups that come, go, or have sums of other names are told by name, and not compared', async () => {
      const { rows, rollups } = await plan(system, Renamed)
      expect(rows.same).toBe(accounts + 1)
      expect(rollups).toEqual({
        ...{ added: ['perInitial'], removed: ['perSize'], changed: ['perOwner'] },
        ...{ groups: same(3), samples: [] },
      })
    })

    test('a `sum` that changed without its version is found, with every row the same', async () => {
      const { builds, rows, rollups } = await plan(system, InCents, { maxSamples: 1 })
      expect([builds, rows.same]).toEqual([false, accounts + 1])
      // The other tenant's owner has no money.
      expect(rollups.groups).toEqual({ ...same(12), same: 5, changed: 7 })
      const { accounts: many, money } = perOwner(
        0,
        () => true,
        n => n * 2,
      )
      expect(rollups.samples).toMatchObject([
        { group: 'Owner 0', before: { accounts: many, money }, after: { accounts: many, money: `${money}00` } },
      ])
    })

    test('of a view that is new, or had no rollups, all are added, and what their sums take counts', async () => {
      const added = { added: ['perOpen'], removed: [], changed: [], groups: same(0), samples: [] }
      const planned = await plan(system, New)
      expect(planned.rollups).toEqual(added)
      expect((await plan(system, Summed)).rollups).toEqual(added)
      expect((await plan(system, { ...New, rollups: {} })).takes.bytes).toBeLessThan(planned.takes.bytes)
    })

    test('is told the same with little memory, a part of the groups after the other', async () => {
      for (const one of [Sums, Changed, New]) {
        const { takes, ...whole } = await plan(system, one)
        const inParts = await plan(system, one, { maxBytes: 20_000, batchEvents: 7 })
        expect(inParts).toEqual({ ...whole, takes: { ...takes, ms: expect.any(Number) } })
      }
      const tooLittle = { maxBytes: 3000 }
      expect((await plan(system, { ...Sums, rollups: {} }, tooLittle)).rows.same).toBe(accounts + 1)
      await expect(plan(system, Sums, tooLittle)).rejects.toMatchObject({ code: 'verify/too-large' })
    })

    test('groups are compared where the view stands, while commands go on', async () => {
      let going = true
      const writing = (async () => {
        for (let n = 0; going; n++) await system.dispatch(Account, `a-${n % 9}`, 'Deposit', { amount: 2 })
      })()
      for (let n = 0; n < 10; n++) {
        const { groups } = (await plan(system, Sums)).rollups
        expect([groups.changed, groups.added, groups.removed]).toEqual([0, 0, 0])
      }
      going = false
      await writing
    })

    test('sums beyond what a number holds are told exactly', async () => {
      for (const id of ['rich-1', 'rich-2', 'rich-3']) {
        await system.dispatch(Account, id, 'OpenAccount', { owner: 'rich' })
        await system.dispatch(Account, id, 'Deposit', { amount: Number.MAX_SAFE_INTEGER })
      }
      await system.drain()
      const { samples } = (await plan(system, Changed, { maxSamples: 99 })).rollups
      expect(samples.find(({ group }) => group === 'rich')).toMatchObject({
        before: { accounts: '3', money: '27021597764222973' },
        after: { accounts: '3', money: '150' },
      })
    })
  })
}

describe('a plan for a view with rollups of which a key stands still', () => {
  const Owners = projection('owners', {
    from: [AccountEvents],
    key: { AccountOpened: ({ data }) => data.owner },
    state: z.object({ accounts: z.int() }),
    on: { AccountOpened: row => ({ accounts: (row?.accounts ?? 0) + 1 }) },
  })
  /** Rows with those of another view, of which a rollup cannot take some. */
  const greeted = (version: number, add: (text: string) => number) =>
    projection('greeted', {
      from: [AccountEvents],
      version,
      state: z.object({ owner: z.string() }),
      on: { AccountOpened: (_, { data: { owner } }) => ({ owner }) },
      refs: { owner: { to: Owners, key: row => row.owner } },
      row: z.object({ text: z.string() }),
      present: ({ owner }) => ({ text: `Hello ${owner}` }),
      rollups: { all: { by: () => 'all', sum: ({ text }) => ({ greeted: add(text) }) } },
    })
  const half = (text: string): number => (text.endsWith('Owner 3') ? 0.5 : 1)

  test('sums up the others, as they stand and as they would', async () => {
    const Greeted = greeted(1, half)
    const system = await run(app('greeted', { aggregates: bank.aggregates, projections: [Owners, Greeted] }), {
      on: inMemory(),
      projections: { foldAttempts: 1, retry: { minDelayMs: 1, maxDelayMs: 2 }, requestPollMs: 2 },
    })
    for (let n = 0; n < 7; n++) await system.dispatch(Account, `a-${n}`, 'OpenAccount', { owner: `Owner ${n}` })
    await system.drain()
    expect(await system.deadLetters.list()).toMatchObject([{ key: 'a-3', code: 'project/invalid-rollup' }])
    const groups = { before: 1, after: 1, same: 1, changed: 0, added: 0, removed: 0 }
    expect(await plan(system, Greeted)).toMatchObject({ parkedKeys: 1, rollups: { groups, samples: [] } })
    const mended = greeted(2, () => 2)
    expect(await plan(system, mended)).toMatchObject({
      ...{ parkedKeys: 0, rows: { same: 6, added: 1 } },
      rollups: { samples: [{ group: 'all', before: { greeted: '6' }, after: { greeted: '14' } }] },
    })
    // One that goes on as it is, and fails elsewhere, ends the plan.
    const other = greeted(2, text => (text.endsWith('Owner 4') ? 0.5 : 1))
    await expect(plan(system, other)).rejects.toMatchObject({ code: 'project/invalid-rollup' })
    await system.close()
  })
})

planning('memory', () => run(summed, { on: inMemory() }))
planning('PGlite', () => run(summed, { on: embedded() }))

describePostgres('with a server', () => {
  let database: Awaited<ReturnType<typeof freshDatabase>>
  beforeAll(async () => {
    database = await freshDatabase()
  })
  afterAll(() => database.drop())
  planning('PostgreSQL', () => run(summed, { on: postgres({ url: database.url }) }))

  test('the space that was estimated is about what references and sums take, beside the rows', async () => {
    const name = 'of an account with a name that is long'
    const Owners = projection('space-owners', {
      from: [AccountEvents],
      key: { AccountOpened: ({ data }) => data.owner },
      state: z.object({ text: z.string() }),
      on: { AccountOpened: (_, { data }) => ({ text: data.owner }) },
    })
    const Space = projection('space', {
      from: [AccountEvents],
      state: z.object({ owner: z.string() }),
      on: { AccountOpened: (_, { data }) => ({ owner: data.owner }) },
      refs: { owner: { to: Owners, key: row => row.owner }, again: { to: Owners, key: row => row.owner } },
      row: z.object({ greeted: z.boolean() }),
      present: (_, { owner }) => ({ greeted: owner !== null }),
      rollups: { perOwner: { by: row => String(row.greeted), sum: () => ({ accounts: 1 }) } },
    })
    const SpaceSums = projection('space-sums', {
      from: [AccountEvents],
      shards: 2,
      state: z.object({ owner: z.string() }),
      on: { AccountOpened: (_, { data }) => ({ owner: data.owner }) },
      rollups: { perOwner: { by: row => row.owner, sum: () => ({ accounts: 1, twice: 2 }) } },
    })
    const spacious = app('space', { aggregates: bank.aggregates, projections: [Owners, Space, SpaceSums] })
    const system = await run(spacious, { on: postgres({ url: database.url }) })
    const looking = await openPostgres(database.url)
    const sizeOf = async (table: string): Promise<number> => {
      const text = `select pg_total_relation_size('bifold_views.${table}')::float8 as bytes`
      const [found] = await looking.sql.query<{ bytes: number }>({ text })
      return found?.bytes ?? 0
    }
    try {
      const opening = Array.from({ length: 3000 }, (_, n) =>
        system.dispatch(Account, `many-${n}`, 'OpenAccount', { owner: `Owner ${n} ${name}` }),
      )
      await Promise.all(opening)
      await system.drain()
      const bytesOf = async (one: typeof Space | typeof SpaceSums) => (await plan(system, one)).takes.bytes
      const rows = await sizeOf('space__g1')
      const estimated = await bytesOf(Space)
      expect(estimated / rows).toBeGreaterThan(0.6)
      expect(estimated / rows).toBeLessThan(1.7)
      const sums = await sizeOf('space_sums__g1__sums')
      const ofSums = (await bytesOf(SpaceSums)) - (await bytesOf({ ...SpaceSums, rollups: {} } as never))
      expect(ofSums / sums).toBeGreaterThan(0.6)
      expect(ofSums / sums).toBeLessThan(1.7)
    } finally {
      await looking.close()
      await system.close()
    }
  })
})
