import type { App } from 'bifold'
import type { Bench, BenchContext } from './bench.ts'
import { makeFiller } from './copy.ts'
import { makeDatabase } from './database.ts'
import { type Figure, figureOf, median } from './figure.ts'
import { accountsApp, branchCount, branchesApp } from './ledger.ts'
import { carryOn, reached, readAndParse } from './views.ts'

const rows = 100_000

/** A view that has all its rows and stands at the tail is given more events than it can take at once. */
export const live: Bench = {
  about: 'events a second into a view that stands at the tail, beside read-and-parse',
  run: async context => [
    ...(await measure(context, `live view of ${rows.toLocaleString('en-US')} rows`, accountsApp().app)),
    ...(await measure(context, `live view of ${branchCount.toLocaleString('en-US')} rows`, branchesApp().app)),
  ],
}

async function measure({ serverUrl, quick, say }: BenchContext, name: string, app: App): Promise<readonly Figure[]> {
  const rounds = quick ? 3 : 5
  const events = quick ? 100_000 : 400_000
  const database = await makeDatabase(serverUrl)
  try {
    const fill = makeFiller(database.client, rows)
    say(`${name}: first events`)
    await fill(rows)
    const system = await carryOn(app, database.url)
    await reached(system, rows)
    let head = rows
    const perSecond: number[] = []
    const parsed: number[] = []
    // The first round warms up.
    for (let round = 0; round <= rounds; round++) {
      say(`${name}: ${round === 0 ? 'warming up' : `round ${round} of ${rounds}`}`)
      await fill(events)
      const begin = performance.now()
      await reached(system, head + events)
      const seconds = (performance.now() - begin) / 1000
      const reference = await readAndParse(database.client, head, events)
      head += events
      if (round === 0) continue
      perSecond.push(events / seconds)
      parsed.push(reference)
    }
    await system.close()
    return [figureOf(name, median(perSecond), 'events/s', 'read and parse the same events', median(parsed))]
  } finally {
    await database.drop()
  }
}
