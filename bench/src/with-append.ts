import { type App, run, type System } from 'bifold'
import { tokenOf } from 'bifold/log'
import { postgres } from 'bifold/postgres'
import { makeLoad, type Run } from './append.ts'
import type { Bench } from './bench.ts'
import { type BenchDatabase, makeDatabase } from './database.ts'
import { type Figure, figureOf, median, percentile } from './figure.ts'
import { AccountEvents, accountOf, accountsApp, alongApp, depositOf, eventsApp, scattered } from './ledger.ts'

const callers = [1, 64, 256] as const
/** Accounts that the latencies are of. */
const accounts = 1000

/** What a projection that is committed with the appends costs them, and spares its readers. */
export const withAppend: Bench = {
  about: 'appends with a projection that is committed with them, beside the same after them',
  run: async ({ serverUrl, quick, say }) => {
    const rounds = quick ? 3 : 5
    const seconds = quick ? 1.5 : 3
    const samples = quick ? 200 : 1000
    const kinds = [
      ['with the append', alongApp()],
      ['after the append', accountsApp()],
      ['no projection', eventsApp()],
    ] as const
    const made: { readonly system: System; readonly database: BenchDatabase }[] = []
    try {
      for (const [, { app }] of kinds) made.push(await open(app, serverUrl))
      const loads = made.map(({ system }) => makeLoad(system.log))
      const runs = new Map<string, Run[]>()
      const runsOf = (kind: number, level: number): Run[] => runs.get(`${kind} ${level}`) ?? []
      // The first round warms up.
      for (let round = 0; round <= rounds; round++) {
        say(round === 0 ? 'warming up' : `round ${round} of ${rounds}`)
        for (const level of callers) {
          for (const [kind, load] of loads.entries()) {
            const one = await load.run(level, seconds)
            await made[kind]?.system.drain()
            if (round > 0) runs.set(`${kind} ${level}`, [...runsOf(kind, level), one])
          }
        }
      }
      say('one append after the other, each with a query that sees it')
      const seen: number[][] = [[], []]
      for (let sample = 0; sample < samples; sample++) {
        for (const kind of [0, 1] as const) {
          const [, { balance }] = kinds[kind]
          const { system } = made[kind] as (typeof made)[number]
          const accountId = accountOf(10 ** 9 + (scattered(sample) % accounts))
          const stream = { tenant: 'default', category: 'account', id: accountId }
          const begin = performance.now()
          const outcome = await system.log.append({
            ...{ stream, expected: 'any', events: [AccountEvents.Deposited(depositOf(sample))] },
          })
          if (outcome.kind !== 'appended') throw new Error(`an append ended as ${outcome.kind}`)
          const after = kind === 0 ? {} : { after: tokenOf(system.log.id, outcome.head) }
          const { asOf } = await system.query(balance, { accountId }, after)
          if (asOf < outcome.head.position) throw new Error(`the query did not see the event`)
          seen[kind]?.push(performance.now() - begin)
        }
      }
      const rate = (kind: number, level: number): number =>
        median(runsOf(kind, level).map(({ perSecond }) => perSecond))
      return [
        ...callers.flatMap((level): Figure[] => {
          const name = `appends with a projection committed with them, ${level} caller${level === 1 ? '' : 's'}`
          return [1, 2].map(kind =>
            figureOf(name, rate(0, level), 'events/s', kinds[kind]?.[0] ?? '', rate(kind, level)),
          )
        }),
        ...([0.5, 0.99] as const).map(share =>
          figureOf(
            `append, and a query without a token that sees it, p${share * 100}`,
            percentile(seen[0] ?? [], share),
            'ms',
            'after the append, with a token',
            percentile(seen[1] ?? [], share),
          ),
        ),
      ]
    } finally {
      for (const { system } of made) await system.close()
      for (const { database } of made) await database.drop()
    }
  },
}

async function open(app: App, serverUrl: string) {
  const database = await makeDatabase(serverUrl)
  return { system: await run(app, { on: postgres({ url: database.url }) }), database }
}
