import { type App, run, type System } from 'bifold'
import { postgres } from 'bifold/postgres'
import type { Bench } from './bench.ts'
import { makeFiller } from './copy.ts'
import { makeDatabase } from './database.ts'
import { figureOf, median } from './figure.ts'
import { accountOf, tellersApp } from './ledger.ts'
import { readAndParse } from './views.ts'

const events = 100_000
const tailEvents = 500
const every = 1000
const callers = 64

/** The first command to a long stream in a new process, and what it costs to keep states for it. */
export const snapshots: Bench = {
  about: 'cold loads of a stream of 100,000 events with and without snapshots',
  run: async ({ serverUrl, quick, say }) => {
    const rounds = quick ? 3 : 5
    const seconds = quick ? 2 : 5
    const database = await makeDatabase(serverUrl)
    const { client, url } = database
    const kept = tellersApp({ every })
    const plain = tellersApp()
    try {
      say(`a stream of ${events.toLocaleString('en-US')} events`)
      const fill = makeFiller(client, 1)
      await fill(events - tailEvents)
      await coldLoad(kept.app, url, events - tailEvents)
      await fill(tailEvents)
      const short = await makeDatabase(serverUrl)
      try {
        await makeFiller(short.client, 1)(tailEvents)
        for (const { client } of [database, short]) await client.query('vacuum analyze')
        const parsed: number[] = []
        const whole: number[] = []
        const withKept: number[] = []
        const ofTail: number[] = []
        const keeping: number[] = []
        const notKeeping: number[] = []
        // The first round warms up.
        for (let round = 0; round <= rounds; round++) {
          say(round === 0 ? 'warming up' : `round ${round} of ${rounds}`)
          const reference = (events / (await readAndParse(client, 0, events))) * 1000
          const wholeMs = await coldLoad(plain.app, url, events)
          const keptMs = await coldLoad(kept.app, url, events)
          const tailMs = await coldLoad(plain.app, short.url, tailEvents)
          const keptRate = await deposits(tellersApp({ every: 100 }), short.url, `kept-${round}`, seconds)
          const plainRate = await deposits(plain, short.url, `plain-${round}`, seconds)
          if (round === 0) continue
          parsed.push(reference)
          whole.push(wholeMs)
          withKept.push(keptMs)
          ofTail.push(tailMs)
          keeping.push(keptRate)
          notKeeping.push(plainRate)
        }
        const [wholeMs, keptMs] = [median(whole), median(withKept)]
        const name = `cold load of ${events.toLocaleString('en-US')} events`
        return [
          figureOf(`${name}, no snapshot`, wholeMs, 'ms', 'read and parse the same events', median(parsed)),
          figureOf(`${name}, snapshot`, keptMs, 'ms', `cold load of ${tailEvents} events`, median(ofTail)),
          figureOf(`${name}, snapshot`, 1000 / keptMs, 'loads/s', 'the same without a snapshot', 1000 / wholeMs),
          figureOf(
            `commands, ${callers} callers, a snapshot every 100 events`,
            median(keeping),
            'commands/s',
            'the same without snapshots',
            median(notKeeping),
          ),
        ]
      } finally {
        await short.drop()
      }
    } finally {
      await database.drop()
    }
  },
}

function commandsOf(app: App, url: string): Promise<System> {
  return run(app, { on: postgres({ url }), roles: { projections: false, queries: false } })
}

/** How long the first command to the stream takes in a new process, in milliseconds. What is to be kept is, at the end. */
async function coldLoad(app: App, url: string, deposits: number): Promise<number> {
  const system = await commandsOf(app, url)
  try {
    // The driver and the connection are ready: another stream was asked for.
    await system.dispatchByName('account', 'nobody', 'Audit', { deposits: 0 })
    const begin = performance.now()
    await system.dispatchByName('account', accountOf(0), 'Audit', { deposits })
    return performance.now() - begin
  } finally {
    await system.close()
  }
}

/** Commands a second, of callers that send to a stream of their own, each after the one before. */
async function deposits({ app }: { readonly app: App }, url: string, name: string, seconds: number): Promise<number> {
  const system = await commandsOf(app, url)
  try {
    const begin = performance.now()
    const until = begin + seconds * 1000
    let sent = 0
    await Promise.all(
      Array.from({ length: callers }, async (_, caller) => {
        for (let n = 0; performance.now() < until; n++) {
          await system.dispatchByName('account', `${name}-${caller}`, 'Deposit', { n })
          sent++
        }
      }),
    )
    return sent / ((performance.now() - begin) / 1000)
  } finally {
    await system.close()
  }
}
