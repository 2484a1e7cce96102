import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { createLog, type EventLog } from '../src/log/index.ts'
import { openPostgres, postgresLogStorage, postgresViewStore } from '../src/postgres/index.ts'
import { startProjector, viewShapeOf } from '../src/project/index.ts'
import { Marks, marks, Totals } from './projector/tally.ts'
import { createDatabase, type Database } from './support/databases.ts'
import { describeOwnServer, describePostgres, freshDatabase } from './support/postgres.ts'
import { type Server, startServer } from './support/server.ts'
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

describeOwnServer('a projector whose server crashes', () => {
  let server: Server
  beforeAll(async () => {
    server = await startServer()
  })
  afterAll(() => server.stop())

  test('goes on by itself when the server is back, and does not call that a failure of the fold', async () => {
    const { url } = await createDatabase(server.url)
    const database = await openPostgres(url)
    const log = await createLog(postgresLogStorage(database), { eventTypes: marks.eventTypes })
    const store = postgresViewStore(database)
    const projector = await startProjector({ app: marks, log, store })
    const states = new Set<string>()
    const caughtUp = async (): Promise<void> => {
      for (;;) {
        const [status] = await projector.status()
        states.add(status?.state ?? '')
        if (status?.position === appended) return
        await new Promise(resolve => setTimeout(resolve, 5))
      }
    }
    let appended = 0
    const mark = async (): Promise<void> => {
      const stream = { tenant: 'default', category: 'mark', id: 'only' }
      const outcome = await log.append({ stream, expected: 'any', events: [Marks.Marked({ by: 1 })] })
      if (outcome.kind === 'appended') appended = outcome.head.position
    }
    for (let n = 0; n < 3; n++) {
      await mark()
      await caughtUp()
      await mark()
      await server.halt(n === 0 ? 'fast' : 'immediate')
      await server.start()
    }
    await mark()
    await caughtUp()
    expect(states).not.toContain('failed')
    const view = await store.open(viewShapeOf(Totals))
    const { value } = await view.get([{ tenant: 'default', key: 'only' }])
    expect(JSON.parse(value[0] ?? 'null')).toEqual({ sum: 7, count: 7, last: [1, 1, 1] })
    await projector.stop()
    await log.close()
    await store.close()
    await database.close()
  }, 60_000)

  test('stops, visibly, when the server comes back with an earlier history', async () => {
    const { url } = await createDatabase(server.url)
    const writing = await openPostgres(url)
    const writer = await createLog(postgresLogStorage(writing), { eventTypes: marks.eventTypes })
    const stream = { tenant: 'default', category: 'mark', id: 'only' }
    const mark = (log: EventLog) => log.append({ stream, expected: 'any', events: [Marks.Marked({ by: 1 })] })
    await mark(writer)
    await writer.close()
    await writing.close()
    await server.halt()
    const restore = await server.save()
    await server.start()

    const database = await openPostgres(url)
    const log = await createLog(postgresLogStorage(database), { eventTypes: marks.eventTypes })
    const store = postgresViewStore(database)
    const projector = await startProjector({ app: marks, log, store })
    await mark(log)
    while ((await projector.status())[0]?.position !== 2) await new Promise(resolve => setTimeout(resolve, 5))
    await server.halt()
    await restore()
    await server.start()

    // Another second event takes the position of the one that was lost.
    const others = await openPostgres(url)
    const other = await createLog(postgresLogStorage(others), { eventTypes: marks.eventTypes })
    await mark(other)
    await mark(other)
    for (;;) {
      const [status] = await projector.status()
      if (status?.state === 'stopped') {
        expect(status.failure?.code).toBe('log/rewound')
        break
      }
      await new Promise(resolve => setTimeout(resolve, 5))
    }
    const view = await store.open(viewShapeOf(Totals))
    // The view was restored too, to before this projector had ever written to it.
    expect((await view.checkpoint(0)).position).toBe(0)
    await projector.stop()
    await log.close()
    await other.close()
    await store.close()
    await database.close()
    await others.close()
  }, 60_000)
})
