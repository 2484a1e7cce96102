import { app, projection, run, type System } from 'bifold'
import { embedded, openPostgres, postgres } from 'bifold/postgres'
import { inMemory } from 'bifold/stores/memory'
import { type Verification, type VerifyOptions, verify } from 'bifold/verify'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import type { AnyProjection } from '../src/define/index.ts'
import {
  type RollupSum,
  type Snapshot,
  type StoredRow,
  shardOf,
  type Upsert,
  viewShapeOf,
} from '../src/project/index.ts'
import { Account, AccountEvents, Accounts, bank } from './support/bank.ts'
import { describePostgres, freshDatabase } from './support/postgres.ts'

/** In shards, of states, with sums. An amount of 13 fails, and parks its key. */
const Sizes = projection('sizes', {
  from: [AccountEvents],
  shards: 3,
  state: z.object({ owner: z.string(), balance: z.int(), deposits: z.int() }),
  on: {
    AccountOpened: (_, { data }) => ({ owner: data.owner, balance: 0, deposits: 0 }),
    MoneyDeposited: (account, { data: { amount } }) => {
      if (amount === 13) throw new RangeError('bad luck')
      return account && { ...account, balance: account.balance + amount, deposits: account.deposits + 1 }
    },
    AccountClosed: () => null,
  },
  row: z.object({ owner: z.string(), size: z.string(), balance: z.int() }),
  present: ({ owner, balance }) => ({ owner, size: balance > 50 ? 'large' : 'small', balance }),
  rollups: {
    perSize: { by: row => row.size, sum: row => ({ accounts: 1, money: row.balance }) },
    perOwner: { by: row => row.owner, sum: () => ({ accounts: 1 }) },
  },
})

/** Rows to which others refer: those of few owners many, those of many one. */
const Owners = projection('owners', {
  from: [AccountEvents],
  shards: 2,
  key: { AccountOpened: ({ data }) => data.owner },
  state: z.object({ accounts: z.int() }),
  on: { AccountOpened: row => ({ accounts: (row?.accounts ?? 0) + 1 }) },
})

const Greeted = projection('greeted', {
  from: [AccountEvents],
  shards: 3,
  state: z.object({ owner: z.string(), neighbour: z.string() }),
  on: { AccountOpened: (_, { data: { owner }, streamId }) => ({ owner, neighbour: `Owner of ${streamId}` }) },
  refs: {
    owner: { to: Owners, key: state => state.owner },
    neighbour: { to: Owners, key: state => state.neighbour },
  },
  row: z.object({ text: z.string() }),
  present: ({ owner }, refs) => ({
    text: `${owner} of ${refs.owner?.accounts ?? 0}, ${refs.neighbour?.accounts ?? 0}`,
  }),
})

const projections = [Accounts, Sizes, Owners, Greeted]
const books = app('books', { ...bank, projections, queries: [] })
const accounts = 90
const settings = { projections: { retry: { minDelayMs: 1, maxDelayMs: 5 }, requestPollMs: 5 } }

const maxBytes = 6000

/** What is told with little memory, which is what is told with much. */
async function both(
  system: System,
  projection: AnyProjection,
  options: VerifyOptions = {},
): Promise<Verification & { readonly times: number }> {
  const { passes: once, peakBytes: wholeBytes, ...whole } = await verify(system, projection, options)
  const little = await verify(system, projection, { ...options, maxBytes, batchEvents: 17 })
  const { passes, peakBytes, ...inPasses } = little
  expect(inPasses).toEqual(whole)
  expect(passes).toBeGreaterThan(once)
  expect(peakBytes).toBeLessThanOrEqual(maxBytes)
  expect(wholeBytes).toBeGreaterThan(maxBytes)
  return { ...little, times: passes / once }
}

/** What verifying in passes must hold on every backend. */
function verifying(name: string, start: () => Promise<System>): void {
  describe(`with less memory than the rows need, on ${name}`, () => {
    let system: System
    beforeAll(async () => {
      system = await start()
      const live = async (n: number): Promise<void> => {
        const options = n % 4 === 0 ? { tenant: 'other' } : {}
        const owner = n % 2 === 0 ? `Owner of a-${n}` : `Owner ${n % 5}`
        await system.dispatch(Account, `a-${n}`, 'OpenAccount', { owner }, options)
        if (n % 3 === 0) await system.dispatch(Account, `a-${n}`, 'Deposit', { amount: n + 2 }, options)
        if (n % 9 === 8) await system.dispatch(Account, `a-${n}`, 'CloseAccount', {}, options)
      }
      await Promise.all(Array.from({ length: accounts }, (_, n) => live(n)))
      await system.drain()
    })
    afterAll(() => system.close())

    /** Writes past the projector, shard by shard. */
    async function tamper(
      projection: AnyProjection,
      change: { upserts?: readonly Upsert[]; deletes?: readonly StoredRow[]; rollups?: readonly RollupSum[] },
    ): Promise<void> {
      const view = await system.views.open(viewShapeOf(projection))
      for (const { shard } of await view.checkpoints()) {
        const { epoch, ...from } = await view.claim(shard)
        const own = <T extends { tenant: string; key: string }>(rows: readonly T[] = []): readonly T[] =>
          rows.filter(row => shardOf(row, projection.shards) === shard)
        const rows = { upserts: own(change.upserts), deletes: own(change.deletes) }
        const rollups = shard === 0 ? (change.rollups ?? []) : []
        expect(await view.commit({ shard, epoch, from, to: from, ...rows, rollups })).toBe('committed')
      }
    }

    async function rowsOf(projection: AnyProjection): Promise<StoredRow[]> {
      const view = await system.views.open(viewShapeOf(projection))
      return view.snapshot(async ({ pages }: Snapshot) => {
        const rows: StoredRow[] = []
        for await (const page of pages) rows.push(...page)
        return rows
      })
    }

    const asUpsert = ({ differing: _, shard: __, ...row }: StoredRow, doc = row.doc): Upsert => {
      return { ...row, doc, row: JSON.parse(doc) }
    }

    test('equal views are equal, with the same hash', async () => {
      for (const one of projections) {
        const { equal, times, parkedKeys } = await both(system, one)
        expect([equal, parkedKeys]).toEqual([true, 0])
        expect(times).toBeGreaterThanOrEqual(one === Owners ? 2 : 4)
      }
    })

    test('a part of the rows that alone needs more is refused', async () => {
      await expect(verify(system, Accounts, { maxBytes: 200 })).rejects.toMatchObject({
        code: 'verify/too-large',
        data: { projection: 'accounts', limitBytes: 200 },
      })
    })

    test('keys that are parked, and events that are skipped, are left out', async () => {
      for (const id of ['a-1', 'a-2', 'a-3']) {
        await system.dispatch(Account, id, 'Deposit', { amount: 13 })
        await system.dispatch(Account, id, 'Deposit', { amount: 1 })
      }
      await system.drain()
      expect(await both(system, Sizes)).toMatchObject({ equal: true, parkedKeys: 3, skippedEvents: 0 })
      await system.deadLetters.skip(Sizes, 'a-2', { reason: 'bad luck' })
      expect(await both(system, Sizes)).toMatchObject({ equal: true, parkedKeys: 2, skippedEvents: 1 })
    })

    test('rows and sums that are not as the log makes them are all found, each with both sides', async () => {
      await system.pause(Sizes)
      const before = await rowsOf(Sizes)
      const [doc, state, position, gone, alsoGone] = before as [StoredRow, StoredRow, StoredRow, StoredRow, StoredRow]
      const wrong = JSON.stringify({ owner: 'nobody', size: 'small', balance: 0 })
      const upserts = [
        asUpsert(doc, wrong),
        { ...asUpsert(state), state: JSON.stringify({ owner: 'nobody', balance: 0, deposits: 0 }) },
        { ...asUpsert(position), position: 1 },
        { ...asUpsert(doc, wrong), tenant: 'third', key: 'extra' },
        // The document is right, the columns are not.
        { ...asUpsert(before.at(-1)!), row: JSON.parse(wrong) },
      ]
      const small = { rollup: 'perSize', tenant: 'default', group: 'small' }
      const nobody = { rollup: 'perOwner', tenant: 'third', group: 'nobody' }
      const rollups = [
        { ...small, sum: 'money', rows: 0, value: 5n },
        { ...nobody, sum: '', rows: 1, value: 0n },
        { ...nobody, sum: 'accounts', rows: 1, value: 1n },
      ]
      await tamper(Sizes, { upserts, deletes: [gone, alsoGone], rollups })
      const found = await both(system, Sizes)
      if (found.equal) throw new Error('it was changed')
      expect(found.different).toBe(7)
      expect(found.differences.map(({ key, kind }) => [key, kind])).toEqual([
        [doc.key, 'changed'],
        [state.key, 'changed'],
        [position.key, 'changed'],
        [gone.key, 'missing'],
        [alsoGone.key, 'missing'],
        [before.at(-1)!.key, 'columns'],
        ['extra', 'extra'],
      ])
      expect(found.differences[0]).toMatchObject({ stored: { doc: wrong }, folded: { doc: doc.doc } })
      expect(found.sumDifferences.map(({ rollup, group, sum, shard }) => [rollup, group, sum, shard])).toEqual([
        ['perOwner', 'nobody', '', 0],
        ['perOwner', 'nobody', 'accounts', 0],
        ['perSize', 'small', 'money', 0],
      ])
      expect(found.differentSums).toBe(3)
      const few = await both(system, Sizes, { maxDifferences: 2 })
      expect(few).toMatchObject({ different: 7, differentSums: 3 })
      expect(few).toMatchObject({ differences: found.differences.slice(0, 2) })
      expect(few).toMatchObject({ sumDifferences: found.sumDifferences.slice(0, 2) })
    })

    test('a store that has lost all rows is told what is missing, with no more memory', async () => {
      await system.pause(Accounts)
      await tamper(Accounts, { deletes: await rowsOf(Accounts) })
      const lost = { equal: false, rows: 0, different: accounts }
      const found = await verify(system, Accounts, { maxBytes, batchEvents: 17 })
      expect(found).toMatchObject(lost)
      expect(found.peakBytes).toBeLessThanOrEqual(maxBytes)
      const { passes: _, peakBytes: __, ...inPasses } = found
      expect(await verify(system, Accounts)).toMatchObject(inPasses)
    })

    test('what rows are found by when others change is compared too', async () => {
      await system.pause(Greeted)
      const [one, other, ...rest] = (await rowsOf(Greeted)) as [StoredRow, StoredRow, ...StoredRow[]]
      expect(one.refs).toEqual(JSON.parse(one.state ?? '', (key, value) => (key === 'text' ? undefined : value)))
      const upserts = [
        { ...asUpsert(one), refs: { ...one.refs, owner: 'somebody else' } },
        { ...asUpsert(other), refs: { owner: null, neighbour: null } },
      ]
      await tamper(Greeted, { upserts })
      expect(await both(system, Greeted)).toMatchObject({
        different: 2,
        differences: [
          { key: one.key, kind: 'columns', stored: { differing: ['refs.owner'] } },
          { key: other.key, kind: 'columns', stored: { differing: ['refs.owner', 'refs.neighbour'] } },
        ],
      })
      await tamper(Greeted, { upserts: [asUpsert(one), asUpsert(other)] })
      expect(await both(system, Greeted)).toMatchObject({ equal: true, rows: rest.length + 2 })
      await system.resume(Greeted)
    })

    test('rows that are made with others are compared as of their own shard, and found where they are wrong', async () => {
      await system.pause(Greeted)
      // Goes on meanwhile: the rows referred to are not those of now.
      for (let n = 0; n < 9; n++) {
        await system.dispatch(Account, `late-${n}`, 'OpenAccount', { owner: `Owner ${n % 5}` })
      }
      const behindOf = async (): Promise<number | undefined> =>
        (await system.status()).find(({ projection }) => projection === 'owners')?.behind
      while ((await behindOf()) !== 0) await new Promise(resolve => setTimeout(resolve, 5))
      expect(await both(system, Greeted)).toMatchObject({ equal: true, rows: accounts })
      const [one, ...others] = await rowsOf(Greeted)
      const forged = JSON.stringify({ text: 'forged' })
      await tamper(Greeted, { upserts: [asUpsert(one!, forged)], deletes: [others.at(-1)!] })
      expect(await both(system, Greeted)).toMatchObject({
        ...{ equal: false, different: 2, differentSums: 0 },
        differences: [
          { kind: 'changed', stored: { doc: forged }, folded: { doc: one!.doc } },
          { kind: 'missing', folded: { doc: others.at(-1)!.doc } },
        ],
      })
    })
  })
}

verifying('memory', () => run(books, { on: inMemory(), ...settings }))
verifying('PGlite', () => run(books, { on: embedded(), ...settings }))

describePostgres('with a server', () => {
  let database: Awaited<ReturnType<typeof freshDatabase>>
  beforeAll(async () => {
    database = await freshDatabase()
  })
  afterAll(() => database.drop())
  verifying('PostgreSQL', () => run(books, { on: postgres({ url: database.url }), ...settings }))

  test('a row that is not in its shard any more, by hand, in SQL, is found', async () => {
    const own = await freshDatabase()
    const system = await run(books, { on: postgres({ url: own.url }), ...settings })
    const byHand = await openPostgres(own.url)
    try {
      await system.dispatch(Account, 'a-moved', 'OpenAccount', { owner: 'Owner 1' })
      await system.drain()
      expect(await verify(system, Greeted)).toMatchObject({ equal: true, rows: 1 })
      await byHand.sql.script('update bifold_views.greeted__g1 set _shard = (_shard + 1) % 3')
      expect(await verify(system, Greeted)).toMatchObject({
        different: 1,
        differences: [{ key: 'a-moved', kind: 'columns', stored: { differing: ['_shard'] } }],
      })
    } finally {
      await byHand.close()
      await system.close()
      await own.drop()
    }
  })
})
