import { run } from 'bifold'
import { postgres } from 'bifold/postgres'
import { type Verification, verify } from 'bifold/verify'
import pg from 'pg'
import type { Bench } from './bench.ts'
import { makeFiller } from './copy.ts'
import { makeDatabase } from './database.ts'
import { type Figure, figureOf } from './figure.ts'
import { accountsApp } from './ledger.ts'
import { carryOn, reached, readAndParse } from './views.ts'

/** How long a view is verified with the memory that its rows need, with an eighth of it, and where a row is wrong. */
export const verifying: Bench = {
  about: 'verifying a view at once, in passes, and with a row that is wrong',
  run: async ({ serverUrl, quick, say }) => {
    const rows = quick ? 100_000 : 1_000_000
    const events = 2 * rows
    const database = await makeDatabase(serverUrl)
    const plain = new pg.Client({ connectionString: database.url })
    const { app, balances } = accountsApp()
    try {
      await plain.connect()
      say(`${events} events, ${rows} rows`)
      await makeFiller(database.client, rows)(events)
      const carried = await carryOn(app, database.url)
      await reached(carried, events)
      await carried.close()
      const system = await run(app, { on: postgres({ url: database.url }), roles: { projections: false } })
      const timed = async (maxBytes: number): Promise<{ readonly seconds: number; readonly found: Verification }> => {
        const begin = performance.now()
        const found = await verify(system, balances, { maxBytes })
        return { seconds: (performance.now() - begin) / 1000, found }
      }
      say('reading and parsing')
      const read = events / (await readAndParse(plain, 0, events))
      say('in one pass')
      const once = await timed(2 ** 32)
      say('in passes')
      const often = await timed(once.found.peakBytes / 7.5)
      await plain.query(`update bifold_views.balances__g1 set _doc = '{}' where _key in
        (select _key from bifold_views.balances__g1 limit 1)`)
      say('with a row that is wrong')
      const wrong = await timed(2 ** 32)
      await system.close()
      if (!once.found.equal || !often.found.equal || wrong.found.equal)
        throw new Error('the view is not as it was made')
      const figures: Figure[] = [
        figureOf(`${rows} rows in one pass`, once.seconds, 's', 'events read and parsed', read),
        figureOf(`in ${often.found.passes} passes`, often.seconds, 's', 'in one pass', once.seconds),
        figureOf(`with a row that is wrong`, wrong.seconds, 's', 'in one pass', once.seconds),
      ]
      return figures
    } finally {
      await plain.end()
      await database.drop()
    }
  },
}
