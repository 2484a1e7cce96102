import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { createLog, type EventLog } from '../src/log/index.ts'
import { openPostgres, postgresLogStorage, postgresViewStore } from '../src/postgres/index.ts'
import { viewShapeOf } from '../src/project/index.ts'
import { Marks, marks, Totals } from './projector/tally.ts'
import type { Database } from './support/databases.ts'
import { describePostgres, freshDatabase } from './support/postgres.ts'
import { killWorkers, spawnWorker, type Worker } from './support/workers.ts'

describePostgres('projectors that are killed', () => {
  let fresh: Database
  let database: Awaited<ReturnType<typeof openPostgres>>
  let log: EventLog
  const streams = Array.from({ length: 150 }, (_, n) => `s${n}`)

  beforeAll(async () => {
    fresh = await freshDatabase()
    database = await openPostgres(fresh.url)
    log = await createLog(postgresLogStorage(database), { eventTypes: marks.eventTypes })
  })
  afterEach(killWorkers)
  afterAll(async () => {
    await log.close()
    await database.close()
    await fresh.drop()
  })

  const start = (): Worker => spawnWorker(import.meta.url, './projector/projector-process.ts', [fresh.url])
  const beyond = (worker: Worker, position: number): Promise<unknown> => worker.line(line => Number(line) >= position)

  test('no event is lost or folded twice, however often they are killed and replaced', async () => {
    const expected = new Map<string, { sum: number; count: number; last: number[] }>()
    const mark = async (rounds: number): Promise<void> => {
      for (let round = 0; round < rounds; round++) {
        await Promise.all(
          streams.map(async (id, n) => {
            const by = round * 1000 + n
            const stream = { tenant: 'default', category: 'mark', id }
            await log.append({ stream, expected: 'any', events: [Marks.Marked({ by })] })
            const row = expected.get(id) ?? { sum: 0, count: 0, last: [] }
            expected.set(id, { sum: row.sum + by, count: row.count + 1, last: [...row.last, by].slice(-3) })
          }),
        )
      }
    }
    await mark(40)
    let position = 0
    for (let n = 0; n < 4; n++) {
      const worker = start()
      position += 400
      await beyond(worker, position)
      const more = mark(5)
      await worker.kill()
      await more
    }
    // Two at once, of which one is killed: whichever it is, the other carries on.
    const [one, two] = [start(), start()]
    await beyond(one, position)
    await beyond(two, position)
    await one.kill()
    await mark(5)
    const head = (await log.head()).position
    await beyond(two, head)

    const view = await postgresViewStore(database).open(viewShapeOf(Totals))
    const { value, asOf } = await view.get(streams.map(key => ({ tenant: 'default', key })))
    expect(asOf.position).toBe(head)
    expect(value.map(doc => JSON.parse(doc ?? 'null'))).toEqual(streams.map(id => expected.get(id)))
  }, 120_000)
})
