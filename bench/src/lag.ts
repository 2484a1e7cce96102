import { run, type System } from 'bifold'
import { tokenOf } from 'bifold/log'
import { postgres } from 'bifold/postgres'
import pg from 'pg'
import type { Bench } from './bench.ts'
import { startProjector } from './children.ts'
import { makeFiller } from './copy.ts'
import { makeDatabase } from './database.ts'
import { type Figure, figureOf, percentile } from './figure.ts'
import { AccountEvents, accountOf, accountsApp, depositOf, scattered } from './ledger.ts'
import { paced, perSecond } from './paced.ts'
import { reached } from './views.ts'

const rows = 10_000
const shares = [
  [0.5, 'p50'],
  [0.95, 'p95'],
  [0.99, 'p99'],
] as const

/**
 * From the moment when an append was answered until a query answers with it: the query waits for the append's token, and
 * reads the row.
 */
export const lag: Bench = {
  about: `from commit to visible in a view, at ${perSecond} appends a second`,
  run: async ({ serverUrl, quick, say }) => {
    const samples = (quick ? 10 : 60) * perSecond
    const database = await makeDatabase(serverUrl)
    try {
      await makeFiller(database.client, rows)(rows)
      say('two connections alone')
      const reference = await notified(database.url, samples / 2)
      say('append, projection and query in one process')
      const own = await inOneProcess(database.url, samples)
      say('the projection in another process')
      const other = await acrossProcesses(database.url, samples)
      const figures = (name: string, measured: readonly number[]): Figure[] =>
        shares.map(([share, label]) =>
          figureOf(
            `${name}, ${label}`,
            percentile(measured, share),
            'ms',
            `insert, notify and read by another connection, ${label}`,
            percentile(reference, share),
          ),
        )
      return [...figures('lag in one process', own), ...figures('lag across processes', other)]
    } finally {
      await database.drop()
    }
  },
}

async function inOneProcess(url: string, samples: number): Promise<readonly number[]> {
  const { app, balance } = accountsApp()
  const system = await run(app, { on: postgres({ url }) })
  try {
    await reached(system, rows)
    return await lags(system, balance, samples)
  } finally {
    await system.close()
  }
}

async function acrossProcesses(url: string, samples: number): Promise<readonly number[]> {
  const child = await startProjector(url)
  const { app, balance } = accountsApp()
  try {
    const system = await run(app, { on: postgres({ url }), roles: { projections: false } })
    try {
      await reached(system, (await system.log.head()).position)
      return await lags(system, balance, samples)
    } finally {
      await system.close()
    }
  } finally {
    await child.stop()
  }
}

/** Milliseconds from each append's answer to the query's. The first tenth warms up. */
async function lags(
  system: System,
  balance: ReturnType<typeof accountsApp>['balance'],
  samples: number,
): Promise<readonly number[]> {
  const { log } = system
  const warmUp = samples / 10
  return paced(samples + warmUp, warmUp, async n => {
    const id = accountOf(scattered(n) % rows)
    const outcome = await log.append({
      stream: { tenant: 'default', category: 'account', id },
      expected: 'any',
      events: [AccountEvents.Deposited(depositOf(n))],
    })
    const begin = performance.now()
    if (outcome.kind !== 'appended') throw new Error(`an append ended as ${outcome.kind}`)
    await system.query(balance, { accountId: id }, { after: tokenOf(log.id, outcome.head) })
    return performance.now() - begin
  })
}

/** The same path without Bifold: a row and a notification in one commit, and another connection that then reads it. */
async function notified(url: string, samples: number): Promise<readonly number[]> {
  const writers = new pg.Pool({ connectionString: url, max: 4 })
  const reader = new pg.Client({ connectionString: url })
  await reader.connect()
  await reader.query('create table noticed (n bigint primary key)')
  await reader.query('listen noticed')
  const seen = new Map<number, (at: number) => void>()
  let reading: Promise<void> = Promise.resolve()
  const read = async (n: number): Promise<void> => {
    await reader.query({ name: 'read', text: 'select n from noticed where n = $1', values: [n] })
    seen.get(n)?.(performance.now())
  }
  reader.on('notification', ({ payload }) => {
    reading = reading.then(() => read(Number(payload)))
  })
  try {
    return await paced(samples, samples / 10, async n => {
      const isRead = new Promise<number>(resolve => seen.set(n, resolve))
      await writers.query({
        name: 'write',
        text: `with row as (insert into noticed values ($1) returning n) select pg_notify('noticed', n::text) from row`,
        values: [n],
      })
      const begin = performance.now()
      return Math.max(0, (await isRead) - begin)
    })
  } finally {
    await writers.end()
    await reading
    await reader.end()
  }
}
