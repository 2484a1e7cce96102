import { app, projection, query, rollup, run, type System } from 'bifold'
import { serve } from 'bifold/http'
import { embedded, openPostgres, postgres } from 'bifold/postgres'
import { inMemory } from 'bifold/stores/memory'
import { foldLaws, type SampleEvent } from 'bifold/testing'
import { explain, rowAt, verify } from 'bifold/verify'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { shardOf, type View, viewShapeOf } from '../src/project/index.ts'
import { Account, AccountEvents, bank } from './support/bank.ts'
import { describePostgres, freshDatabase } from './support/postgres.ts'

const Size = z.enum(['empty', 'small', 'large', 'closed'])

/** Rows that say less than the states they are made of, and sums over them, in three shards. */
const Sizes = projection('sizes', {
  from: [AccountEvents],
  shards: 3,
  state: z.object({ owner: z.string(), balance: z.int(), open: z.boolean(), deposits: z.int() }),
  on: {
    AccountOpened: (_, { data }) => ({ owner: data.owner, balance: 0, open: true, deposits: 0 }),
    MoneyDeposited: (account, { data }) =>
      account && { ...account, balance: account.balance + data.amount, deposits: account.deposits + 1 },
    MoneyWithdrawn: (account, { data }) => account && { ...account, balance: account.balance - data.amount },
    AccountClosed: account => (account?.owner === 'nobody' ? null : account && { ...account, open: false }),
  },
  row: z.object({ owner: z.string(), size: Size, balance: z.int() }),
  present: ({ owner, balance, open }) => {
    const size = !open ? 'closed' : balance === 0 ? 'empty' : balance < 100 ? 'small' : 'large'
    return { owner, size, balance }
  },
  rollups: {
    perSize: { by: row => row.size, sum: row => ({ accounts: 1, money: row.balance }) },
    perOwner: { by: row => (row.size === 'closed' ? null : row.owner), sum: () => ({ accounts: 1 }) },
  },
  indexes: [['size', 'owner']],
})

const bySize = query('by-size', {
  from: rollup(Sizes, 'perSize'),
  input: z.object({ size: Size }),
  get: ({ size }) => size,
})
const sizes = query('sizes', {
  from: rollup(Sizes, 'perSize'),
  input: z.object({ from: z.string().optional(), cursor: z.string().optional(), limit: z.int().optional() }),
  list: ({ from, ...page }) => ({ index: ['group'], where: { group: { gte: from } }, ...page }),
})
const owners = query('owners', {
  from: rollup(Sizes, 'perOwner'),
  input: z.object({ names: z.array(z.string()) }),
  many: ({ names }) => names,
})
const byCount = query('by-count', {
  from: rollup(Sizes, 'perSize'),
  input: z.object({}),
  list: () => ({ index: ['accounts'] }),
})
const accountsOfSize = query('accounts-of-size', {
  from: Sizes,
  input: z.object({ size: Size }),
  list: ({ size }) => ({ index: ['size', 'owner'], where: { size } }),
})
const counted = app('counted', {
  aggregates: bank.aggregates,
  projections: [Sizes],
  queries: [bySize, sizes, owners, byCount, accountsOfSize],
})

/** A rebuild loads in bulk on a log as short as this one, too. */
const projections = { rebuild: { minEvents: 10 } }

/** What rollups must hold on every backend. */
function summing(name: string, start: () => Promise<System>): void {
  describe(`rollups on ${name}`, () => {
    let system: System
    beforeAll(async () => {
      system = await start()
    })
    afterAll(() => system.close())

    const open = (id: string, owner: string, tenant = 'default') =>
      system.dispatch(Account, id, 'OpenAccount', { owner }, { tenant })
    const deposit = (id: string, amount: number) => system.dispatch(Account, id, 'Deposit', { amount })

    test('a group that no row is in is not there', async () => {
      expect((await system.query(bySize, { size: 'empty' })).value).toBeNull()
      expect((await system.query(sizes, {})).value).toEqual({ rows: [], next: null })
    })

    test('a command is in them as soon as its token is waited for, in whatever shard its row is', async () => {
      for (let n = 0; n < 12; n++) {
        const { token } = await open(`a-${n}`, `owner-${n % 3}`)
        const { value } = await system.query(bySize, { size: 'empty' }, { after: token })
        expect(value).toEqual({ group: 'empty', accounts: n + 1, money: 0 })
      }
      for (let n = 0; n < 6; n++) await deposit(`a-${n}`, 40)
      await deposit('a-0', 100)
      await system.dispatch(Account, 'a-1', 'Withdraw', { amount: 40 })
      await system.dispatch(Account, 'a-2', 'CloseAccount', {})
      await open('elsewhere', 'owner-0', 'other')
      await open('gone', 'nobody')
      const { token } = await system.dispatch(Account, 'gone', 'CloseAccount', {})
      const { value, asOf } = await system.query(sizes, {}, { after: token })
      expect(value).toEqual({
        rows: [
          { group: 'closed', accounts: 1, money: 40 },
          { group: 'empty', accounts: 7, money: 0 },
          { group: 'large', accounts: 1, money: 140 },
          { group: 'small', accounts: 3, money: 120 },
        ],
        next: null,
      })
      expect(asOf).toBe((await system.log.head()).position)
      expect((await system.query(bySize, { size: 'empty' }, { tenant: 'other' })).value).toMatchObject({ accounts: 1 })
      const several = await system.query(owners, { names: ['owner-2', 'nobody', 'owner-1'] })
      expect(several.value).toEqual([{ group: 'owner-2', accounts: 3 }, null, { group: 'owner-1', accounts: 4 }])
    })

    test('are listed in pages, from a group on, and by nothing but the group', async () => {
      const first = await system.query(sizes, { limit: 3, from: 'd' })
      expect(first.value).toMatchObject({
        rows: [{ group: 'empty' }, { group: 'large' }, { group: 'small' }],
        next: null,
      })
      const page = await system.query(sizes, { limit: 2 })
      expect(page.value.rows.map(({ group }) => group)).toEqual(['closed', 'empty'])
      const next = await system.query(sizes, { limit: 2, cursor: page.value.next! })
      expect(next.value).toMatchObject({ rows: [{ group: 'large' }, { group: 'small' }], next: null })
      await expect(system.query(byCount, {})).rejects.toMatchObject({ code: 'query/invalid-request' })
    })

    test('the rows are what `present` makes, listed along their own columns; the states stay inside', async () => {
      const { value } = await system.query(accountsOfSize, { size: 'large' })
      expect(value.rows).toEqual([{ owner: 'owner-0', size: 'large', balance: 140 }])
      const { steps, row } = await explain(system, Sizes, 'a-0')
      expect(row).toEqual(value.rows[0])
      expect(steps.map(step => step.row?.size)).toEqual(['empty', 'small', 'large'])
      expect(await rowAt(system, Sizes, 'a-0', steps[1]!.event.position)).toMatchObject({ size: 'small' })
    })

    test('are verified: a sum that was changed by hand is found, and so is a state', async () => {
      expect(await verify(system, Sizes)).toMatchObject({ equal: true, rows: 13 })
      const view = await system.views.open(viewShapeOf(Sizes))
      const key = { tenant: 'default', key: 'a-0' }
      const shard = shardOf(key, 3)
      const stored = [...(await view.load([key])).values()][0]!
      await system.pause(Sizes)
      const change = (sign: 1 | -1, state: string) =>
        tamper(view, shard, key, { position: stored.position, doc: stored.doc!, state }, sign)
      await change(1, stored.state!.replace('"deposits":2', '"deposits":3'))
      const found = await verify(system, Sizes)
      expect(found).toMatchObject({
        equal: false,
        different: 1,
        differences: [{ key: 'a-0', kind: 'changed', stored: { state: expect.stringContaining('"deposits":3') } }],
        differentSums: 2,
        sumDifferences: [
          { rollup: 'perSize', group: 'large', sum: '', shard, stored: { rows: 2 }, folded: { rows: 1, value: '0' } },
          { sum: 'money', stored: { rows: 2, value: '147' }, folded: { rows: 1, value: '140' } },
        ],
      })
      await change(-1, stored.state!)
      await system.resume(Sizes)
      expect(await verify(system, Sizes)).toMatchObject({ equal: true })
    })

    test('a sum beyond what a number holds is refused, and stays exact', async () => {
      const most = Number.MAX_SAFE_INTEGER
      await open('rich-1', 'rich')
      await deposit('rich-1', most)
      await open('rich-2', 'rich')
      const { token } = await deposit('rich-2', 1)
      expect((await system.query(bySize, { size: 'small' }, { after: token })).value).toMatchObject({ money: 121 })
      await expect(system.query(bySize, { size: 'large' })).rejects.toMatchObject({
        code: 'query/sum-too-large',
        data: { projection: 'sizes', rollup: 'perSize', sum: 'money' },
      })
      const less = await system.dispatch(Account, 'rich-1', 'Withdraw', { amount: most - 100 })
      const { value } = await system.query(bySize, { size: 'large' }, { after: less.token })
      expect(value).toEqual({ group: 'large', accounts: 2, money: 240 })
    })

    test('are the same in a generation that was built in bulk, and are asked of it from then on', async () => {
      const before = (await system.query(sizes, {})).value
      const generation = await system.rebuild(Sizes)
      const serving = async () => (await system.status())[0]?.generations.find(({ role }) => role === 'serving')
      while ((await serving())?.generation !== generation) await new Promise(resolve => setTimeout(resolve, 10))
      expect(await verify(system, Sizes)).toMatchObject({ equal: true, generation, rows: 15 })
      expect((await system.query(sizes, {})).value).toEqual(before)
      const { token } = await open('after', 'owner-0')
      const { value } = await system.query(bySize, { size: 'empty' }, { after: token })
      expect(value).toEqual({ group: 'empty', accounts: 8, money: 0 })
    })

    test('answer over HTTP as rows do, and OpenAPI says what they are', async () => {
      const server = await serve(system, { port: 0 })
      try {
        const get = (path: string) => fetch(`${server.url}${path}`)
        const one = await get('/queries/by-size?size=large')
        expect(await one.json()).toEqual({ group: 'large', accounts: 2, money: 240 })
        expect(await (await get('/queries/owners?names=nobody')).json()).toEqual([null])
        const document = JSON.parse(await (await get('/openapi.json')).text())
        expect(document.components.schemas['sizes.perSize.Group']).toEqual({
          type: 'object',
          properties: { group: { type: 'string' } },
          required: ['group'],
          additionalProperties: { type: 'integer' },
        })
      } finally {
        await server.close()
      }
    })
  })
}

/** Writes a row, and adds a row of 7 to the large ones or takes it away, past the projector. */
async function tamper(
  view: View,
  shard: number,
  key: { readonly tenant: string; readonly key: string },
  { position, doc, state }: { readonly position: number; readonly doc: string; readonly state: string },
  sign: 1 | -1,
): Promise<void> {
  const { epoch, ...at } = await view.claim(shard)
  const upserts = [{ ...key, position, row: JSON.parse(doc), doc, state }]
  const of = { rollup: 'perSize', tenant: 'default', group: 'large', rows: sign }
  const rollups = [
    { ...of, sum: '', value: 0n },
    { ...of, sum: 'money', value: BigInt(7 * sign) },
  ]
  expect(await view.commit({ shard, epoch, from: at, to: at, upserts, deletes: [], rollups })).toBe('committed')
}

summing('memory', () => run(counted, { on: inMemory(), projections }))
summing('PGlite', () => run(counted, { on: embedded(), projections }))
describePostgres('with PostgreSQL', () => {
  summing('PostgreSQL', async () => {
    const fresh = await freshDatabase()
    const system = await run(counted, { on: postgres({ url: fresh.url }), projections })
    return { ...system, close: () => system.close().then(fresh.drop) }
  })

  test('a sum that no projector has written is found', async () => {
    const fresh = await freshDatabase()
    const system = await run(counted, { on: postgres({ url: fresh.url }) })
    const database = await openPostgres(fresh.url)
    try {
      await system.dispatch(Account, 'a', 'OpenAccount', { owner: 'o' })
      await system.drain()
      await database.sql.query(
        { text: 'update bifold_views.sizes__g1__sums set _value = _value + 1 where _sum = $1' },
        ['money'],
      )
      expect(await verify(system, Sizes)).toMatchObject({ different: 0, differentSums: 1 })
      await database.sql.query({ text: 'delete from bifold_views.sizes__g1__sums' })
      expect(await verify(system, Sizes)).toMatchObject({ different: 0, differentSums: 5 })
    } finally {
      await database.close()
      await system.close()
      await fresh.drop()
    }
  })
})

test('a row that a rollup cannot take parks its key: others go on, and the sums are those of the rows', async () => {
  const Halves = projection('halves', {
    from: [AccountEvents],
    state: z.object({ balance: z.int() }),
    on: {
      AccountOpened: () => ({ balance: 0 }),
      MoneyDeposited: (row, { data }) => ({ balance: (row?.balance ?? 0) + data.amount }),
    },
    rollups: { all: { by: () => 'all', sum: row => ({ accounts: 1, half: row.balance > 1 ? row.balance / 2 : 0 }) } },
  })
  const half = query('half', { from: rollup(Halves, 'all'), input: z.object({}), get: () => 'all' })
  const halved = app('halved', { aggregates: bank.aggregates, projections: [Halves], queries: [half] })
  const system = await run(halved, { on: inMemory(), projections: { retry: { minDelayMs: 1, maxDelayMs: 2 } } })
  try {
    for (const id of ['a', 'b']) await system.dispatch(Account, id, 'OpenAccount', { owner: id })
    for (const [id, amount] of [
      ['a', 4],
      ['b', 3],
      ['b', 5],
    ] as const) {
      await system.dispatch(Account, id, 'Deposit', { amount })
      await system.drain()
    }
    expect((await system.query(half, {})).value).toEqual({ group: 'all', accounts: 2, half: 2 })
    const [parked, ...others] = await system.deadLetters.list()
    expect([parked, others.length]).toMatchObject([{ key: 'b', code: 'project/invalid-rollup', events: 2 }, 0])
    await system.deadLetters.skip(Halves, 'b', { reason: 'half a cent' })
    await system.deadLetters.skip(Halves, 'b', { reason: 'half a cent' })
    await system.dispatch(Account, 'b', 'Deposit', { amount: 20 })
    await system.drain()
    expect((await system.query(half, {})).value).toEqual({ group: 'all', accounts: 2, half: 12 })
    expect(await verify(system, Halves)).toMatchObject({ equal: true })
  } finally {
    await system.close()
  }
})

describe('the laws of folding', () => {
  const samples: readonly SampleEvent[] = Array.from({ length: 40 }, (_, n) => ({
    stream: `a-${n % 4}`,
    event: n < 4 ? AccountEvents.AccountOpened({ owner: `o-${n % 2}` }) : AccountEvents.MoneyDeposited({ amount: n }),
  }))

  test('hold for rollups that depend on the row alone', async () => {
    await foldLaws(Sizes, { events: samples })
  })

  test('are broken by a rollup that depends on more, and the error says which', async () => {
    let calls = 0
    const rollups = { odd: { by: () => 'all', sum: () => ({ calls: ++calls }) } }
    await expect(foldLaws({ ...Sizes, rollups } as never, { events: samples })).rejects.toMatchObject({
      code: 'testing/fold-law-broken',
      data: { rollup: 'odd', key: 'all', atOnce: expect.stringMatching(/^calls: \d+ of 4 rows$/) },
    })
  })
})
