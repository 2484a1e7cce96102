import type { App } from 'bifold'
import type { AnyProjection } from 'bifold/define'
import type { Client } from 'pg'
import type { Bench } from './bench.ts'
import { type Child, startChild } from './children.ts'
import { makeFiller } from './copy.ts'
import { type BenchDatabase, makeDatabase, openLog } from './database.ts'
import { type Figure, figureOf, median, percentile } from './figure.ts'
import {
  AccountEvents,
  accountOf,
  accountsApp,
  branchCount,
  branchesApp,
  depositOf,
  joinedApp,
  scattered,
} from './ledger.ts'
import { pacedWhile } from './paced.ts'
import { carryOn, reached, readAndParse, rebuilt } from './views.ts'

const rows = 100_000
const warmUpSamples = 200
const shares = [
  [0.5, 'p50'],
  [0.99, 'p99'],
] as const

/** A view that is built anew beside the one that serves, until the new one does. */
export const rebuild: Bench = {
  about: "events a second into a view that is built anew, beside PostgreSQL's own group by",
  run: async ({ serverUrl, quick, say }) => {
    const events = quick ? 1_000_000 : 10_000_000
    const rounds = quick ? 1 : 3
    const database = await makeDatabase(serverUrl)
    try {
      say(`a log of ${events.toLocaleString('en-US')} events`)
      await makeFiller(database.client, rows)(events)
      await database.client.query('vacuum analyze bifold.events')
      const built = [
        ...(await measure(database, accountsApp().app, { events, rounds, say, rows, key: 'stream_id' })),
        ...(await measure(database, branchesApp().app, {
          ...{ events, rounds, say, rows: branchCount },
          key: `'branch-' || (data->>'branch')`,
        })),
        ...(await measureJoined(database, { events, rounds, say })),
      ]
      return [...built, ...(await appending(database.url, quick ? 5 : 30, say))]
    } finally {
      await database.drop()
    }
  },
}

interface Measured {
  readonly events: number
  readonly rounds: number
  readonly rows: number
  /** The key of a row, in SQL. */
  readonly key: string
  readonly say: (line: string) => void
}

async function measure(
  { client, url }: BenchDatabase,
  app: App,
  { events, rounds, rows: count, key, say }: Measured,
): Promise<readonly Figure[]> {
  const name = `rebuild of a view of ${count.toLocaleString('en-US')} rows`
  const [perSecond, grouped, parsed, memory]: number[][] = [[], [], [], []]
  const [view] = app.projections as [AnyProjection]
  const system = await carryOn(app, url)
  await reached(system, events)
  for (let round = 1; round <= rounds; round++) {
    say(`${name}: round ${round} of ${rounds}`)
    parsed?.push(await readAndParse(client, 0, events))
    grouped?.push(events / (await seconds(() => groupBy(client, `grouped_${count}_${round}`, key))))
    const watched = watchMemory()
    perSecond?.push(events / (await seconds(() => rebuilt(system, view))))
    memory?.push(watched.end())
  }
  await system.close()
  return [
    figureOf(name, median(perSecond ?? []), 'events/s', 'insert … select … group by', median(grouped ?? [])),
    figureOf(name, median(perSecond ?? []), 'events/s', 'read and parse the same events', median(parsed ?? [])),
    figureOf(`${name}: memory`, median(memory ?? []), 'MiB', 'what rows may take', 256),
  ]
}

/** A view with a join and a rollup, in turns with the same view without, each beside its own generation that serves. */
async function measureJoined(
  { url }: BenchDatabase,
  { events, rounds, say }: Pick<Measured, 'events' | 'rounds' | 'say'>,
): Promise<readonly Figure[]> {
  const name = `rebuild of a view of ${rows.toLocaleString('en-US')} rows with a join and a rollup`
  const joined: number[] = []
  const alone: number[] = []
  for (let round = 1; round <= rounds; round++) {
    say(`${name}: round ${round} of ${rounds}`)
    for (const [{ app }, perSecond] of [
      [accountsApp(), alone],
      [joinedApp(), joined],
    ] as const) {
      const system = await carryOn(app, url)
      await reached(system, events)
      const [view] = app.projections as [AnyProjection]
      perSecond.push(events / (await seconds(() => rebuilt(system, view))))
      await system.close()
    }
  }
  return [figureOf(name, median(joined), 'events/s', 'the view without', median(alone))]
}

async function seconds(run: () => Promise<void>): Promise<number> {
  const begin = performance.now()
  await run()
  return (performance.now() - begin) / 1000
}

/** The same columns, by PostgreSQL alone. What is of the last event is looked up once for each row. */
async function groupBy(client: Client, table: string, key: string): Promise<void> {
  await client.query(`
    create table ${table} (
      tenant text collate "C", key text collate "C", position bigint, balance bigint, deposits bigint,
      currency text collate "C", reference text collate "C", primary key (tenant, key))`)
  await client.query(`
    insert into ${table}
    select g.tenant, g.key, g.position, g.balance, g.deposits, e.data->>'currency', e.data->>'reference'
      from (select tenant, ${key} as key, max(position) as position, sum((data->>'amount')::bigint) as balance,
                   count(*) as deposits
              from bifold.events where type = 'Deposited' group by 1, 2) g
      join bifold.events e on e.position = g.position`)
}

/** The most that this process takes from now on, in MiB, all told. */
function watchMemory(): { end(): number } {
  let most = 0
  const look = setInterval(() => {
    most = Math.max(most, process.memoryUsage.rss())
  }, 20)
  return {
    end: () => {
      clearInterval(look)
      return most / 2 ** 20
    },
  }
}

/** What a rebuild in another process does to the latency of appends, beside what that process does to it without one. */
async function appending(url: string, forSeconds: number, say: (line: string) => void): Promise<readonly Figure[]> {
  const { log, close } = await openLog(url)
  const latencies = async (isOver: () => boolean): Promise<readonly number[]> => {
    const taken = await pacedWhile(
      () => !isOver(),
      async n => {
        const begin = performance.now()
        await log.append({
          stream: { tenant: 'default', category: 'account', id: accountOf(scattered(n) % rows) },
          expected: 'any',
          events: [AccountEvents.Deposited(depositOf(n))],
        })
        return performance.now() - begin
      },
    )
    return taken.slice(warmUpSamples)
  }
  const forSome = (): Promise<readonly number[]> => {
    const endsAt = performance.now() + forSeconds * 1000
    return latencies(() => performance.now() >= endsAt)
  }
  const beside = async <T>(share: number, work: (child: Child) => Promise<T>): Promise<T> => {
    const child = await startChild('./rebuild-process.ts', [url, String(share)])
    try {
      return await work(child)
    } finally {
      await child.stop()
    }
  }
  /** From the beginning of the first rebuild to the end of one: what they do at the end is as much a part of them. */
  const during = (share: number) =>
    beside(share, async child => {
      const begunAt = performance.now()
      let [built, tookMs] = [0, 0]
      child.onSaid(() => {
        built++
        tookMs = performance.now() - begunAt
      })
      const taken = await latencies(() => tookMs >= forSeconds * 1000 || !child.isRunning())
      return { taken, seconds: tookMs / 1000 / built }
    })
  try {
    say('appends: warming up')
    await forSome()
    say('appends alone, beside the process that carries the view on, and while it rebuilds')
    const alone = await forSome()
    const carried = await beside(0, forSome)
    const full = await during(1)
    const quarter = await during(0.25)
    const figures = (name: string, taken: readonly number[], reference: string, than: readonly number[]): Figure[] =>
      shares.map(([share, label]) =>
        figureOf(
          ...([`append ${name}, ${label}`, percentile(taken, share), 'ms'] as const),
          ...([`append ${reference}, ${label}`, percentile(than, share)] as const),
        ),
      )
    return [
      ...figures('beside a view that is carried on', carried, 'alone', alone),
      ...figures('during a rebuild', full.taken, 'beside the view', carried),
      ...figures('during a rebuild of share 0.25', quarter.taken, 'beside the view', carried),
      figureOf('rebuild of share 0.25 beside appends', quarter.seconds, 's', 'rebuild of share 1', full.seconds),
    ]
  } finally {
    await close()
  }
}
