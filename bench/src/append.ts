import { randomUUID } from 'node:crypto'
import type { EventLog } from 'bifold/log'
import type { Client } from 'pg'
import type { Bench } from './bench.ts'
import { copyCommitted, makeRows } from './copy.ts'
import { makeDatabase, openLog } from './database.ts'
import { type Figure, figureOf, median, percentile } from './figure.ts'
import { AccountEvents, accountOf, depositOf } from './ledger.ts'

const levels = [1, 16, 64, 256, 1024] as const
const commandHash = 'f'.repeat(43)
/** A stream is begun and gets this many events, one append each, its expected version checked every time. */
const streamEvents = 10
const copyRows = 1000

/** Appends of one event each through the log, beside COPY into the same tables. */
export const append: Bench = {
  about: 'appends by number of callers, beside COPY into the same tables',
  run: async ({ serverUrl, quick, say }) => {
    const rounds = quick ? 3 : 5
    const seconds = quick ? 1 : 3
    const copies = quick ? 60 : 200
    const database = await makeDatabase(serverUrl)
    const { log, close } = await openLog(database.url)
    try {
      const load = makeLoad(log)
      say('warming up')
      await load.run(64, seconds)
      await load.run(1, 0.3)
      const bare = await bareCommits(database.client, quick ? 500 : 2000)
      const both: number[] = []
      const eventsAlone: number[] = []
      const random: Run[] = []
      const runs = new Map<number, Run[]>(levels.map(level => [level, []]))
      for (let round = 1; round <= rounds; round++) {
        say(`round ${round} of ${rounds}`)
        for (const level of levels) runs.get(level)?.push(await load.run(level, seconds))
        random.push(await load.run(64, seconds, () => randomUUID()))
        both.push(await copy(log, database.client, copies, true))
        eventsAlone.push(await copy(log, database.client, copies, false))
      }
      const copyName = `COPY into events and commands, ${copyRows.toLocaleString('en-US')} of each a commit`
      const figures: Figure[] = []
      for (const [level, ofLevel] of runs) {
        const name = `append, ${level} caller${level === 1 ? '' : 's'}`
        const rate = median(ofLevel.map(run => run.perSecond))
        figures.push(figureOf(name, rate, 'events/s', copyName, median(both)))
        for (const [share, label] of [
          [0.5, 'p50'],
          [0.99, 'p99'],
        ] as const) {
          const latency = median(ofLevel.map(run => percentile(run.latenciesMs, share)))
          const reference = `bare insert and commit, ${label}`
          figures.push(figureOf(`${name}, ${label}`, latency, 'ms', reference, percentile(bare, share)))
        }
      }
      const randomRate = median(random.map(run => run.perSecond))
      figures.push(figureOf('append, 64 callers, random command ids', randomRate, 'events/s', copyName, median(both)))
      figures.push(figureOf(copyName, median(both), 'events/s', 'COPY into events alone', median(eventsAlone)))
      return figures
    } finally {
      await close()
      await database.drop()
    }
  },
}

export interface Run {
  readonly perSecond: number
  readonly latenciesMs: readonly number[]
}

export function makeLoad(log: EventLog) {
  let streams = 0
  let appends = 0

  async function caller(until: number, latenciesMs: number[], idOf: (n: number) => string): Promise<void> {
    for (;;) {
      const stream = { tenant: 'default', category: 'account', id: accountOf(streams++) }
      for (let version = 0; version < streamEvents; version++) {
        const begin = performance.now()
        if (begin >= until) return
        const n = appends++
        const outcome = await log.append({
          stream,
          expected: version,
          events: [AccountEvents.Deposited(depositOf(n))],
          command: { name: 'account/Deposit', id: idOf(n), hash: commandHash },
        })
        if (outcome.kind !== 'appended') throw new Error(`an append ended as ${outcome.kind}`)
        latenciesMs.push(performance.now() - begin)
      }
    }
  }

  return {
    run: async (callers: number, seconds: number, idOf: (n: number) => string = orderedId): Promise<Run> => {
      const latenciesMs: number[] = []
      const begin = performance.now()
      const until = begin + seconds * 1000
      await Promise.all(Array.from({ length: callers }, () => caller(until, latenciesMs, idOf)))
      return { perSecond: latenciesMs.length / ((performance.now() - begin) / 1000), latenciesMs }
    },
  }
}

/** Ordered by time, as UUIDs of version 7 are. */
function orderedId(n: number): string {
  const digits = n.toString(16).padStart(20, '0')
  return `01${digits.slice(0, 6)}-${digits.slice(6, 10)}-7${digits.slice(10, 13)}-8${digits.slice(13, 16)}-${'0'.repeat(8)}${digits.slice(16)}`
}

let copied = 0

/** Rows a second of COPY at the log's end, one commit after the other. */
async function copy(log: EventLog, client: Client, commits: number, withCommands: boolean): Promise<number> {
  const { position: head } = await log.head()
  const firstStream = 10_000_000 + copied * commits * copyRows
  copied++
  const rowsFrom = makeRows(position => firstStream + Math.floor((position - head - 1) / streamEvents))
  const batches = Array.from({ length: commits }, (_, n) => rowsFrom(head + 1 + n * copyRows, copyRows))
  const begin = performance.now()
  for (const rows of batches) await copyCommitted(client, rows, withCommands)
  return (commits * copyRows) / ((performance.now() - begin) / 1000)
}

/** How long the machine's disk and the protocol take for a commit of one small row. */
async function bareCommits(client: Client, count: number): Promise<readonly number[]> {
  await client.query('create table bare (n bigint primary key, text text)')
  const latenciesMs: number[] = []
  for (let n = 0; n < count; n++) {
    const begin = performance.now()
    await client.query({ name: 'bare', text: 'insert into bare values ($1, $2)', values: [n, 'a small row'] })
    latenciesMs.push(performance.now() - begin)
  }
  return latenciesMs
}
