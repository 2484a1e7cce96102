import { app, projection, run, type System } from 'bifold'
import { embedded, openPostgres, postgres } from 'bifold/postgres'
import { inMemory, memoryRowStore } from 'bifold/stores/memory'
import { explain, rowAt, verify } from 'bifold/verify'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { fingerprintOf, origin } from '../src/log/index.ts'
import { type Backend, rowsApart, shardOf, viewShapeOf } from '../src/project/index.ts'
import { Account, AccountEvents, Accounts, bank } from './support/bank.ts'
import { describePostgres, freshDatabase } from './support/postgres.ts'

/** Rows that go when their account is closed. */
const OpenAccounts = projection('open-accounts', {
  from: [AccountEvents],
  state: z.object({ owner: z.string(), since: z.iso.datetime(), deposits: z.array(z.int()) }),
  on: {
    AccountOpened: (_, { data, recordedAt }) => ({ owner: data.owner, since: recordedAt, deposits: [] }),
    MoneyDeposited: (row, { data }) => row && { ...row, deposits: [...row.deposits, data.amount].slice(-3) },
    AccountClosed: () => null,
  },
})

/** Rows that events of many streams touch, two at a time, in shards of their own. */
const PerOwner = projection('per-owner', {
  from: [AccountEvents],
  shards: 4,
  state: z.object({ accounts: z.int() }),
  key: { AccountOpened: ({ data }) => [data.owner, 'everybody'] },
  on: { AccountOpened: row => ({ accounts: (row?.accounts ?? 0) + 1 }) },
  indexes: [['accounts']],
})

const projections = [Accounts, OpenAccounts, PerOwner]
const books = app('books', { ...bank, projections })

/** Rows in a store without transactions. */
function apart(): Backend {
  const backend = inMemory()
  return { ...backend, views: rowsApart(backend.views, memoryRowStore()) }
}

/** What verifying must hold on every backend. */
function verifying(name: string, start: () => Promise<System>): void {
  describe(`on ${name}`, () => {
    let system: System
    beforeAll(async () => {
      system = await start()
    })
    afterAll(() => system.close())

    const open = (id: string, owner: string, tenant = 'default') =>
      system.dispatch(Account, id, 'OpenAccount', { owner }, { tenant })
    const deposit = (id: string, amount: number) => system.dispatch(Account, id, 'Deposit', { amount })

    async function caughtUp(): Promise<void> {
      for (;;) {
        const statuses = await system.status()
        if (statuses.every(({ behind, state }) => behind === 0 || state === 'stopped')) return
        await new Promise(resolve => setTimeout(resolve, 5))
      }
    }

    test('a view without rows is what an empty log makes', async () => {
      const nothing = await verify(system, Accounts)
      expect(nothing).toMatchObject({ equal: true, projection: 'accounts', generation: 1, rows: 0 })
      expect(nothing.hash).toBe('e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855')
    })

    test('every view is what the log makes of it, and says up to where', async () => {
      for (let n = 0; n < 60; n++) {
        await open(`a-${n}`, `owner-${n % 7}`, n % 5 === 0 ? 'other' : 'default')
        if (n % 5 !== 0) await Promise.all([deposit(`a-${n}`, n), deposit(`a-${n}`, 1)])
        if (n % 3 === 1 && n % 5 !== 0) await system.dispatch(Account, `a-${n}`, 'CloseAccount', {})
      }
      await caughtUp()
      const { position } = await system.log.head()
      const verified = await Promise.all(projections.map(one => verify(system, one)))
      expect(verified).toMatchObject([
        { equal: true, rows: 60, asOf: [{ shard: 0, position }] },
        { equal: true, rows: 44, asOf: [{ shard: 0, position }] },
        { equal: true, rows: 16, asOf: [0, 1, 2, 3].map(shard => ({ shard, position })) },
      ])
      expect(new Set(verified.map(({ hash }) => hash)).size).toBe(3)
      for (const one of projections)
        expect(await verify(system, one, { batchEvents: 3 })).toMatchObject({ equal: true })
    })

    test('while commands and projections go on, it is compared as of one moment, and stops nobody', async () => {
      let done = false
      let dispatched = 0
      const writing = (async () => {
        for (let n = 0; !done; n++) {
          await open(`w-${n}`, `writer-${n % 3}`)
          await deposit(`w-${n}`, 1)
          if (n % 2 === 0) await system.dispatch(Account, `w-${n}`, 'CloseAccount', {})
          dispatched++
        }
      })()
      const positions: number[] = []
      for (let n = 0; n < 12; n++) {
        const before = dispatched
        for (const one of projections) {
          const verified = await verify(system, one)
          expect(verified).toMatchObject({ equal: true })
          positions.push(verified.asOf[0]!.position)
        }
        while (dispatched === before) await new Promise(resolve => setTimeout(resolve, 1))
      }
      done = true
      await writing
      expect(new Set(positions).size).toBeGreaterThan(10)
    })

    test('each shard is compared as of its own checkpoint', async () => {
      const Behind = { ...PerOwner, version: 2 }
      const view = await system.views.open(viewShapeOf(Behind))
      const keys = ['owner-1', 'owner-2', 'owner-3', 'everybody']
      const head = await system.log.head()
      const { steps } = await explain(system, PerOwner, 'everybody')
      const middle = steps[5]!.event
      const ends = [head, { position: middle.position, fingerprint: fingerprintOf(middle.id) }]
      expect(new Set(keys.map(key => shardOf({ tenant: 'default', key }, 4))).size).toBeGreaterThan(1)
      for (const shard of [0, 1, 2, 3]) {
        const { epoch } = await view.claim(shard)
        const to = ends[shard % 2]!
        await view.commit({ shard, epoch, from: origin, to, upserts: [], deletes: [] })
      }
      const found = await verify(system, Behind)
      expect(found.asOf.map(({ position }) => position)).toEqual([0, 1, 2, 3].map(shard => ends[shard % 2]!.position))
      if (found.equal) throw new Error('an empty view is no match')
      expect(found.differences.length).toBe(found.different)
      for (const { tenant, key, kind, folded } of found.differences) {
        expect(kind).toBe('missing')
        const end = ends[shardOf({ tenant, key }, 4) % 2]!.position
        expect(JSON.parse(folded!.doc)).toEqual(await rowAt(system, PerOwner, key, end, { tenant }))
        expect(folded!.position).toBeLessThanOrEqual(end)
      }
    })

    test('rows that are not as the log makes them are found, with both sides, and all are counted', async () => {
      await caughtUp()
      const before = await verify(system, OpenAccounts)
      const view = await system.views.open(viewShapeOf(OpenAccounts))
      // Who carries the shard on would claim it back in between.
      await system.pause(OpenAccounts)
      const { epoch, ...at } = await view.claim(0)
      const row = { owner: 'nobody', since: '2026-11-21T03:30:00.000Z', deposits: [] }
      const doc = JSON.stringify(row)
      const wrong = (key: string, tenant = 'default') => ({ tenant, key, position: 2, row, doc })
      const stored = (await view.load([{ tenant: 'default', key: 'a-2' }])).get('default\u0000a-2')!.doc!
      const position = (await explain(system, OpenAccounts, 'a-2')).steps.at(-1)!.event.position
      const upserts = [
        wrong('a-3'),
        wrong('zz-extra', 'other'),
        // The document is right, the columns are not.
        { ...wrong('a-2'), position, doc: stored },
      ]
      const deletes = [
        { tenant: 'other', key: 'a-0', position },
        { tenant: 'default', key: 'a-6', position },
      ]
      expect(await view.commit({ shard: 0, epoch, from: at, to: at, upserts, deletes })).toBe('committed')
      const found = await verify(system, OpenAccounts)
      await system.resume(OpenAccounts)
      expect(found).toMatchObject({ equal: false, rows: before.rows - 1, different: 5, asOf: [at] })
      expect(found.hash).not.toBe(before.hash)
      if (found.equal) return
      expect(found.differences).toMatchObject([
        {
          tenant: 'default',
          key: 'a-2',
          kind: 'columns',
          stored: { doc: stored, differing: ['owner', 'since', 'deposits'] },
        },
        {
          tenant: 'default',
          key: 'a-3',
          kind: 'changed',
          stored: { doc, position: 2 },
          folded: { position: expect.any(Number) },
        },
        { tenant: 'default', key: 'a-6', kind: 'missing' },
        { tenant: 'other', key: 'a-0', kind: 'missing', folded: { doc: expect.stringContaining('owner-0') } },
        { tenant: 'other', key: 'zz-extra', kind: 'extra', stored: { doc, position: 2, differing: [] } },
      ])
      expect(JSON.parse(found.differences[1]!.folded!.doc)).toEqual(
        await rowAt(system, OpenAccounts, 'a-3', at.position),
      )
      expect(found.differences.map(one => ['stored' in one, 'folded' in one])).toEqual([
        [true, true],
        [true, true],
        [false, true],
        [false, true],
        [true, false],
      ])
      const bounded = await verify(system, OpenAccounts, { maxDifferences: 2 })
      expect(bounded).toMatchObject({ different: 5, differences: [{ key: 'a-2' }, { key: 'a-3' }] })
      expect(await verify(system, Accounts)).toMatchObject({ equal: true })
    })

    test('a row at a position of its own, with the right document, differs', async () => {
      const view = await system.views.open(viewShapeOf(PerOwner))
      const key = { tenant: 'default', key: 'owner-1' }
      const shard = shardOf(key, 4)
      await system.pause(PerOwner)
      const { epoch, ...at } = await view.claim(shard)
      const doc = (await view.load([key])).get('default\u0000owner-1')!.doc!
      const upserts = [{ ...key, position: 1, row: JSON.parse(doc), doc }]
      expect(await view.commit({ shard, epoch, from: at, to: at, upserts, deletes: [] })).toBe('committed')
      const found = await verify(system, PerOwner)
      await system.resume(PerOwner)
      expect(found).toMatchObject({
        different: 1,
        differences: [{ key: 'owner-1', kind: 'changed', stored: { position: 1 } }],
      })
    })

    test('a view of another history is not compared', async () => {
      const Other = projection('of-another-history', { from: [AccountEvents], state: z.object({}), on: {} })
      const view = await system.views.open(viewShapeOf(Other))
      const { epoch, ...from } = await view.claim(0)
      const to = { position: 3, fingerprint: '000000000000' }
      await view.commit({ shard: 0, epoch, from, to, upserts: [], deletes: [] })
      await expect(verify(system, Other)).rejects.toMatchObject({ code: 'log/rewound', data: { position: 3 } })
    })

    test('a definition that fails on an event that is in its view says which', async () => {
      const Broken = projection('per-owner', {
        from: [AccountEvents],
        shards: 4,
        state: z.object({ accounts: z.int() }),
        key: { AccountOpened: ({ data }) => [data.owner, 'everybody'] },
        on: {
          AccountOpened: row => {
            if (row?.accounts === 3) throw new TypeError('four')
            return { accounts: (row?.accounts ?? 0) + 1 }
          },
        },
      })
      await expect(verify(system, Broken)).rejects.toMatchObject({ code: 'project/fold-failed' })
      const explained = await explain(system, Broken, 'everybody', { tenant: 'other' })
      expect(explained).toMatchObject({
        row: { accounts: 3 },
        events: 3,
        failure: { error: { code: 'project/fold-failed' } },
      })
      const { position } = explained.failure!.event
      const at = (position: number) => rowAt(system, Broken, 'everybody', position, { tenant: 'other' })
      expect(await at(position - 1)).toEqual({ accounts: 3 })
      await expect(at(position)).rejects.toMatchObject({ code: 'project/fold-failed' })
    })

    test('the events behind a row are told, each with the row after it and what it changed', async () => {
      await open('e-1', 'Eve')
      await deposit('e-1', 10)
      await system.dispatch(Account, 'e-1', 'Withdraw', { amount: 10 })
      await deposit('e-1', 5)
      const { position } = await system.dispatch(Account, 'e-1', 'CloseAccount', {})
      const explained = await explain(system, OpenAccounts, 'e-1')
      const since = explained.steps[0]!.event.recordedAt
      expect(explained).toMatchObject({
        projection: 'open-accounts',
        tenant: 'default',
        key: 'e-1',
        asOf: position,
        row: null,
        events: 4,
      })
      expect(explained.steps.map(({ event, row, changed }) => [event.type, row, changed])).toEqual([
        [
          'AccountOpened',
          { owner: 'Eve', since, deposits: [] },
          [
            { column: 'owner', from: undefined, to: 'Eve' },
            { column: 'since', from: undefined, to: since },
            { column: 'deposits', from: undefined, to: [] },
          ],
        ],
        ['MoneyDeposited', { owner: 'Eve', since, deposits: [10] }, [{ column: 'deposits', from: [], to: [10] }]],
        [
          'MoneyDeposited',
          { owner: 'Eve', since, deposits: [10, 5] },
          [{ column: 'deposits', from: [10], to: [10, 5] }],
        ],
        [
          'AccountClosed',
          null,
          [
            { column: 'owner', from: 'Eve', to: undefined },
            { column: 'since', from: since, to: undefined },
            { column: 'deposits', from: [10, 5], to: undefined },
          ],
        ],
      ])
      const newest = await explain(system, OpenAccounts, 'e-1', { maxSteps: 1 })
      expect(newest).toMatchObject({ events: 4, steps: [{ event: { type: 'AccountClosed' } }] })
      expect(newest.steps).toHaveLength(1)
      expect(await explain(system, OpenAccounts, 'e-1', { tenant: 'other' })).toMatchObject({
        row: null,
        events: 0,
        steps: [],
      })
    })

    test('the events behind a row of many streams are told too, and only those', async () => {
      const explained = await explain(system, PerOwner, 'owner-1')
      expect(explained.row).toEqual({ accounts: explained.events })
      expect(explained.events).toBeGreaterThan(3)
      expect(explained.steps.filter(({ event }) => event.tenant !== 'default')).toEqual([])
      expect(explained.steps.map(({ row }) => row?.accounts)).toEqual(explained.steps.map((_, n) => n + 1))
      expect(new Set(explained.steps.map(({ event }) => (event.data as { owner: string }).owner))).toEqual(
        new Set(['owner-1']),
      )
      const earlier = await explain(system, PerOwner, 'owner-1', { position: explained.steps[1]!.event.position })
      expect(earlier).toMatchObject({ row: { accounts: 2 }, events: 2 })
    })

    test('a row is told as it was at every position, and at no position that there is not', async () => {
      const { steps } = await explain(system, OpenAccounts, 'e-1')
      const first = steps[0]!.event.position
      for (const [n, { event, row }] of steps.entries()) {
        expect(await rowAt(system, OpenAccounts, 'e-1', event.position)).toEqual(row)
        const next = steps[n + 1]?.event.position
        if (next !== undefined) expect(await rowAt(system, OpenAccounts, 'e-1', next - 1)).toEqual(row)
      }
      expect(await rowAt(system, OpenAccounts, 'e-1', first - 1)).toBeNull()
      expect(await rowAt(system, PerOwner, 'owner-1', 0)).toBeNull()
      const { position: head } = await system.log.head()
      for (const position of [-1, 1.5, head + 1]) {
        await expect(rowAt(system, OpenAccounts, 'e-1', position)).rejects.toMatchObject({
          code: 'verify/no-such-position',
          data: { position, head },
        })
      }
    })
  })
}

verifying('memory', () => run(books, { on: inMemory() }))
verifying('PGlite', () => run(books, { on: embedded() }))
verifying('memory, with rows apart', () => run(books, { on: apart() }))

describePostgres('with a server', () => {
  let database: Awaited<ReturnType<typeof freshDatabase>>
  beforeAll(async () => {
    database = await freshDatabase()
  })
  afterAll(() => database.drop())
  verifying('PostgreSQL', () => run(books, { on: postgres({ url: database.url }) }))

  test('a row that was changed by hand, in SQL, is found', async () => {
    const system = await run(books, { on: postgres({ url: database.url }) })
    const byHand = await openPostgres(database.url)
    try {
      expect(await verify(system, Accounts)).toMatchObject({ equal: true })
      await byHand.sql.script("update bifold_views.accounts__g1 set balance = balance + 1 where _key = 'a-3'")
      expect(await verify(system, Accounts)).toMatchObject({
        different: 1,
        differences: [{ key: 'a-3', kind: 'columns', stored: { differing: ['balance'] } }],
      })
      await byHand.sql.script("update bifold_views.accounts__g1 set _doc = '{}' where _key = 'a-4'")
      await byHand.sql.script("delete from bifold_views.accounts__g1 where _key = 'a-6'")
      expect(await verify(system, Accounts)).toMatchObject({
        different: 3,
        differences: [
          { key: 'a-3' },
          { key: 'a-4', kind: 'changed', stored: { doc: '{}' } },
          { key: 'a-6', kind: 'missing' },
        ],
      })
    } finally {
      await byHand.close()
      await system.close()
    }
  })
})
