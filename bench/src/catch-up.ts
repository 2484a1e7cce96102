import type { App } from 'bifold'
import type { Bench } from './bench.ts'
import { makeFiller } from './copy.ts'
import { makeDatabase } from './database.ts'
import { figureOf, median } from './figure.ts'
import { accountsApp, branchCount, branchesApp } from './ledger.ts'
import { carryOn, reached, readAndParse } from './views.ts'

const rows = 100_000

/** A projection that is new on a long log, from its start until it holds everything. */
export const catchUp: Bench = {
  about: 'events a second into a new view on a long log, beside read-and-parse',
  run: async ({ serverUrl, quick, say }) => {
    const rounds = 3
    const events = quick ? 200_000 : 1_000_000
    const database = await makeDatabase(serverUrl)
    const { client, url } = database
    try {
      say(`a log of ${events.toLocaleString('en-US')} events`)
      await makeFiller(client, rows)(events)
      await client.query('vacuum analyze bifold.events')
      const parsed: number[] = []
      const build = async (app: App): Promise<number> => {
        const begin = performance.now()
        const system = await carryOn(app, url)
        await reached(system, events)
        const perSecond = events / ((performance.now() - begin) / 1000)
        await system.close()
        return perSecond
      }
      const many: number[] = []
      const few: number[] = []
      // The first round warms up.
      for (let round = 0; round <= rounds; round++) {
        say(round === 0 ? 'warming up' : `round ${round} of ${rounds}`)
        const reference = await readAndParse(client, 0, events)
        const ofMany = await build(accountsApp(`balances-${round}`).app)
        const ofFew = await build(branchesApp(`branches-${round}`).app)
        if (round === 0) continue
        parsed.push(reference)
        many.push(ofMany)
        few.push(ofFew)
      }
      const figure = (rows: number, measured: readonly number[]) => {
        const name = `catch-up of a view of ${rows.toLocaleString('en-US')} rows`
        return figureOf(name, median(measured), 'events/s', 'read and parse the same events', median(parsed))
      }
      return [figure(rows, many), figure(branchCount, few)]
    } finally {
      await database.drop()
    }
  },
}
