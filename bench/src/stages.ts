import { type App, type AskQuery, run, type System } from 'bifold'
import { tokenOf } from 'bifold/log'
import { postgres } from 'bifold/postgres'
import type { Bench } from './bench.ts'
import { makeFiller } from './copy.ts'
import { type BenchDatabase, makeDatabase } from './database.ts'
import { type Figure, figureOf, median, percentile } from './figure.ts'
import {
  AccountEvents,
  accountOf,
  accountsApp,
  depositOf,
  joinedApp,
  presentedApp,
  scattered,
  summedApp,
} from './ledger.ts'
import { carryOn, reached } from './views.ts'

const rows = 100_000

/** The same view folded alone, made of states, with sums over its rows, and made with rows of another view and summed. */
const views = [
  ['folded alone', accountsApp],
  ['with present', presentedApp],
  ['with a rollup', summedApp],
  ['with a join and a rollup', joinedApp],
] as const

/** What the stages after folding cost, each beside the same view without it. */
export const stages: Bench = {
  about: 'views with present, a rollup and a join, beside the same view without',
  run: async ({ serverUrl, quick, say }) => {
    const rounds = quick ? 3 : 5
    const events = quick ? 50_000 : 400_000
    const commits = quick ? 200 : 1000
    const made: { readonly app: App; readonly ask: Ask; readonly database: BenchDatabase }[] = []
    try {
      for (const [, appOf] of views) {
        const { app, balance } = appOf()
        const ask: Ask = (query, accountId, after) => query(balance, { accountId }, { after })
        made.push({ app, ask, database: await makeDatabase(serverUrl) })
      }
      const perSecond: number[][] = views.map(() => [])
      const lags: number[][] = views.map(() => [])
      const fills = made.map(({ database }) => makeFiller(database.client, rows))
      const systems: System[] = []
      for (const [n, { app, database }] of made.entries()) {
        say(`${views[n]?.[0]}: first events`)
        await fills[n]?.(rows)
        const system = await carryOn(app, database.url)
        await reached(system, rows)
        systems.push(system)
      }
      let head = rows
      // The first round warms up.
      for (let round = 0; round <= rounds; round++) {
        say(round === 0 ? 'warming up' : `round ${round} of ${rounds}`)
        for (const [n, system] of systems.entries()) {
          await fills[n]?.(events)
          const begin = performance.now()
          await reached(system, head + events)
          if (round > 0) perSecond[n]?.push(events / ((performance.now() - begin) / 1000))
        }
        head += events
      }
      await Promise.all(systems.map(system => system.close()))
      say('one event after the other')
      const running = await Promise.all(
        made.map(({ app, database }) => run(app, { on: postgres({ url: database.url }) })),
      )
      await Promise.all(running.map(system => reached(system, head)))
      // The first tenth warms up.
      for (let sample = 0; sample < commits * 1.1; sample++) {
        for (const [n, { ask }] of made.entries()) {
          const lag = await lagOf(running[n] as System, ask, head + sample)
          if (sample >= commits * 0.1) lags[n]?.push(lag)
        }
      }
      await Promise.all(running.map(system => system.close()))
      return views
        .slice(1)
        .flatMap(([name], n): Figure[] => [
          figureOf(
            `live view ${name}`,
            median(perSecond[n + 1] ?? []),
            'events/s',
            'the view folded alone',
            median(perSecond[0] ?? []),
          ),
          figureOf(
            `from commit to visible ${name}, p50`,
            percentile(lags[n + 1] ?? [], 0.5),
            'ms',
            'the view folded alone',
            percentile(lags[0] ?? [], 0.5),
          ),
        ])
    } finally {
      for (const { database } of made) await database.drop()
    }
  },
}

type Ask = (query: AskQuery, accountId: string, after: string) => Promise<unknown>

/** Appends an event, and takes the time from the answer until a query has it. */
async function lagOf({ log, query }: System, ask: Ask, n: number): Promise<number> {
  const id = accountOf(scattered(n) % rows)
  const stream = { tenant: 'default', category: 'account', id }
  const outcome = await log.append({ stream, expected: 'any', events: [AccountEvents.Deposited(depositOf(n))] })
  const begin = performance.now()
  if (outcome.kind !== 'appended') throw new Error(`an append ended as ${outcome.kind}`)
  await ask(query, id, tokenOf(log.id, outcome.head))
  return performance.now() - begin
}
