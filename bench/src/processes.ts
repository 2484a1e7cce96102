import { run } from 'bifold'
import { postgres } from 'bifold/postgres'
import type { Bench } from './bench.ts'
import { type Child, startProjector } from './children.ts'
import { makeFiller } from './copy.ts'
import { makeDatabase } from './database.ts'
import { figureOf, median } from './figure.ts'
import { accountsApp } from './ledger.ts'
import { reached } from './views.ts'

const rows = 100_000
const shards = 8

/** A view in shards that is new on a long log, carried on by one process and by two. */
export const processes: Bench = {
  about: `events a second into a new view of ${shards} shards, by two processes beside one`,
  run: async ({ serverUrl, quick, say }) => {
    const rounds = quick ? 1 : 3
    const events = quick ? 200_000 : 1_000_000
    const database = await makeDatabase(serverUrl)
    const { client, url } = database
    try {
      say(`a log of ${events.toLocaleString('en-US')} events`)
      await makeFiller(client, rows)(events)
      await client.query('vacuum analyze bifold.events')
      /** The processes are up, and the view is made, before the clock runs: they begin when its pause ends. */
      const build = async (name: string, count: number): Promise<number> => {
        const { app, balances } = accountsApp(name, shards)
        const watcher = await run(app, { on: postgres({ url }), roles: { projections: false, commands: false } })
        const children: Child[] = []
        try {
          await watcher.pause(balances)
          for (let n = 0; n < count; n++) children.push(await startProjector(url, name, String(shards)))
          const begin = performance.now()
          await watcher.resume(balances)
          await reached(watcher, events)
          return events / ((performance.now() - begin) / 1000)
        } finally {
          await Promise.all(children.map(child => child.stop()))
          await watcher.close()
        }
      }
      const one: number[] = []
      const two: number[] = []
      // The first round warms up.
      for (let round = 0; round <= rounds; round++) {
        say(round === 0 ? 'warming up' : `round ${round} of ${rounds}`)
        const ofOne = await build(`one-${round}`, 1)
        const ofTwo = await build(`two-${round}`, 2)
        if (round === 0) continue
        one.push(ofOne)
        two.push(ofTwo)
      }
      return [figureOf('catch-up by two processes', median(two), 'events/s', 'by one process', median(one))]
    } finally {
      await database.drop()
    }
  },
}
