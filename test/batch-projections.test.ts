import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { createLog, type EventLog } from '../src/log/index.ts'
import { openPostgres, postgresLogStorage, postgresViewStore } from '../src/postgres/index.ts'
import { viewShapeOf } from '../src/project/index.ts'
import { Lines, lines } from './batches/lines.ts'
import { Marks } from './projector/tally.ts'
import type { Database } from './support/databases.ts'
import { describePostgres, freshDatabase } from './support/postgres.ts'
import { killWorkers, spawnWorker, type Worker } from './support/workers.ts'

describePostgres('a batch projection whose processes are killed and stopped', () => {
  let fresh: Database
  let database: Awaited<ReturnType<typeof openPostgres>>
  let log: EventLog
  beforeAll(async () => {
    fresh = await freshDatabase()
    database = await openPostgres(fresh.url)
    log = await createLog(postgresLogStorage(database), { eventTypes: lines.eventTypes })
  })
  afterEach(killWorkers)
  afterAll(async () => {
    await log.close()
    await database.close()
    await fresh.drop()
  })

  const start = (): Worker => spawnWorker(import.meta.url, './batches/batch-process.ts', [fresh.url])
  const beyond = (worker: Worker, position: number): Promise<unknown> => worker.line(line => Number(line) >= position)

  test('has every event in its tables once', async () => {
    const mark = async (rounds: number): Promise<number> => {
      for (let round = 0; round < rounds; round++) {
        await Promise.all(
          Array.from({ length: 20 }, async (_, n) => {
            const stream = { tenant: 'default', category: 'mark', id: `s${n}` }
            await log.append({ stream, expected: 'any', events: [Marks.Marked({ by: round * 100 + n })] })
          }),
        )
      }
      return (await log.head()).position
    }
    let head = await mark(30)
    for (let n = 0; n < 4; n++) {
      const worker = start()
      await beyond(worker, 1 + n * 130)
      const more = mark(5)
      await worker.kill()
      head = await more
    }
    // One that is stopped past its lease in the middle of it, and wakes up when another has gone on.
    const [first, second] = [start(), start()]
    await Promise.race([beyond(first, 560), beyond(second, 560)])
    process.kill(first.pid, 'SIGSTOP')
    head = await mark(10)
    await beyond(second, head)
    process.kill(first.pid, 'SIGCONT')
    head = await mark(5)
    await Promise.race([beyond(first, head), beyond(second, head)])

    const view = await postgresViewStore(database).open(viewShapeOf(Lines))
    expect((await view.checkpoint(0)).position).toBe(head)
    const [found] = await database.sql.query<Record<string, number>>({
      text: `select count(*) as lines, count(distinct position) as positions, min(position) as first, max(position) as last,
                    (select count(*) from bifold_views.lines__g${view.generation}__lines l
                       join bifold.events e using (position)
                      where l.stream = e.stream_id and l.amount = (e.data ->> 'by')::bigint) as right
               from bifold_views.lines__g${view.generation}__lines`,
    })
    expect(found).toEqual({ lines: head, positions: head, first: 1, last: head, right: head })
  }, 120_000)
})
