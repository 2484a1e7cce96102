import { afterAll, beforeAll, expect, test } from 'vitest'
import { z } from 'zod'
import { describePostgres, freshDatabase } from '../../test/support/postgres.ts'
import { events, projection } from '../define/index.ts'
import { origin } from '../log/index.ts'
import { type Scan, type Upsert, viewShapeOf } from '../project/index.ts'
import type { Database, Lane } from './client.ts'
import { openPostgres, postgresViewStore } from './index.ts'
import { commitVerb } from './view-commit.ts'
import { tableNameOf } from './view-names.ts'
import { getStatement, getValues, listQuery } from './view-read.ts'
import { dependentsQuery } from './view-referred.ts'

const Things = events('thing', { Happened: z.object({}) })
const Ranked = projection('ranked', {
  from: [Things],
  state: z.object({ kind: z.string(), rank: z.int(), at: z.iso.datetime() }),
  on: {},
  indexes: [['kind', 'rank', 'at'], ['rank']],
})
const shape = viewShapeOf(Ranked)
const table = tableNameOf(Ranked.name, 1)

describePostgres('the plans of statements on views', () => {
  let fresh: Awaited<ReturnType<typeof freshDatabase>>
  let database: Database
  let lane: Lane
  beforeAll(async () => {
    fresh = await freshDatabase()
    database = await openPostgres(fresh.url)
    lane = database.lane()
    const view = await postgresViewStore(database).open(shape)
    const { epoch } = await view.claim(0)
    // Planned while the table is empty, often enough for the plan to be kept.
    for (let n = 0; n < 12; n++) {
      await lane.query(getStatement(table), getValues(Ranked.name, 1, [{ tenant: 'default', key: 'none' }]))
      for (const change of [upserting, deleting]) {
        const { statement, values } = commit({ ...change, shard: 0, epoch, from: origin, to: origin })
        await lane.query(statement, values)
      }
    }
    const upserts: Upsert[] = Array.from({ length: 20_000 }, (_, n) => {
      const row = { kind: `kind-${n % 7}`, rank: n % 1000, at: '2026-01-01T00:00:00Z' }
      return { tenant: 'default', key: `k${n}`, position: 1, row, doc: JSON.stringify(row) }
    })
    const to = { position: 1, fingerprint: 'ffffffffffff' }
    await view.commit({ shard: 0, epoch, from: origin, to, upserts, deletes: [] })
  })
  afterAll(async () => {
    await lane.close()
    await database.close()
    await fresh.drop()
  })

  const commit = commitVerb(Ranked.name, 1, table, shape)
  const row = { kind: 'kind', rank: 1, at: '2026-01-01T00:00:00Z' }
  const first: Upsert = { tenant: 'default', key: 'first', position: 1, row, doc: JSON.stringify(row) }
  const upserting = { upserts: [first], deletes: [] }
  const deleting = { upserts: [], deletes: [{ tenant: 'default', key: 'none', position: 1 }] }

  const planOf = async (text: string, values: readonly unknown[] = []): Promise<string> =>
    (await lane.query<{ 'QUERY PLAN': string }>({ text: `explain ${text}` }, values))
      .map(row => row['QUERY PLAN'])
      .join('\n')

  test.each([
    { index: ['kind', 'rank', 'at'], equal: ['kind-3'] },
    { index: ['kind', 'rank', 'at'], equal: ['kind-3'], range: { gte: 5, lt: 900 } },
    {
      index: ['kind', 'rank', 'at'],
      equal: ['kind-3'],
      after: { values: ['kind-3', 7, '2026-01-01T00:00:00Z'], key: 'k7' },
    },
    { index: ['rank'], equal: [] },
    { index: ['rank'], equal: [], after: { values: [500], key: 'k500' } },
  ])('a list walks the index and sorts nothing: %o', async given => {
    for (const order of ['asc', 'desc'] as const) {
      const scan: Scan = { tenant: 'default', range: {}, limit: 20, ...given, order }
      const { statement, values } = listQuery(Ranked.name, 1, table, shape.columns, scan)
      const plan = await planOf(statement.text, values)
      expect(plan).toContain(order === 'asc' ? `Index Scan using ${table}` : `Index Scan Backward using ${table}`)
      expect(plan).not.toMatch(/Sort|Seq Scan on ranked/)
    }
  })

  test('rows are found by their key, by plans too that were made while there were none', async () => {
    const literals = (values: readonly unknown[]): string =>
      values.map(value => `'${String(value).replaceAll("'", "''")}'`).join(', ')
    const get = literals(getValues(Ranked.name, 1, [{ tenant: 'default', key: 'k1' }]))
    const write = commit({ ...upserting, shard: 0, epoch: 1, from: origin, to: origin })
    const kept = [
      await planOf(`execute "${getStatement(table).name}" (${get})`),
      await planOf(`execute "${write.statement.name}" (${literals(write.values)})`),
    ]
    // Parameters, not values: this is the plan that was kept.
    for (const plan of kept) expect(plan).toMatch(/projection = \$1/)
    expect(kept[0]).toContain(`Index Scan using ${table}_pkey`)
    const erase = commit({ ...deleting, shard: 0, epoch: 1, from: origin, to: origin })
    const planned = await planOf(erase.statement.text, erase.values)
    expect(planned).toContain(`Index Scan using ${table}_pkey`)
    for (const plan of [...kept, planned]) expect(plan).not.toContain(`Seq Scan on ${table}`)
  })

  test('of very many dependents those behind one are found without going through the others', async () => {
    const Referring = { ...Ranked, name: 'referring' }
    const view = await postgresViewStore(database).open({
      ...{ ...viewShapeOf(Referring), refs: [{ name: 'owner', to: 'owners 1' }] },
    })
    const { epoch } = await view.claim(0)
    const refs = { owner: 'one' }
    const upserts = Array.from({ length: 5000 }, (_, n): Upsert => ({ ...first, key: `k${10_000 + n}`, refs }))
    const to = { position: 1, fingerprint: 'ffffffffffff' }
    await view.commit({ shard: 0, epoch, from: origin, to, upserts, deletes: [] })
    const names = { ...{ projection: 'referring', generation: 1 }, table: tableNameOf('referring', 1) }
    for (const more of [['one'], ['one', 'other']]) {
      const keys = more.map(key => ({ tenant: 'default', key }))
      const query = { shard: 0, ref: 'owner', keys, after: 'k13999', limit: 100 }
      const { statement, values } = dependentsQuery(names, query)
      const plan = await planOf(statement.text, values)
      expect(plan).toMatch(/Index Cond: .*_ref_owner = .*_shard = .*_key > /)
      expect(plan).not.toMatch(/Filter|Seq Scan on referring/)
    }
  })
})
