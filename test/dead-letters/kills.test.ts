import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { createLog, type EventLog } from '../../src/log/index.ts'
import { openPostgres, postgresLogStorage, postgresViewStore } from '../../src/postgres/index.ts'
import { type View, type ViewStore, viewShapeOf } from '../../src/project/index.ts'
import { verify } from '../../src/verify/index.ts'
import type { Database } from '../support/databases.ts'
import { describePostgres, freshDatabase } from '../support/postgres.ts'
import { killWorkers, spawnWorker, type Worker } from '../support/workers.ts'
import { Marks, poisonedOf, totalsOf } from './poisoned.ts'

describePostgres('processes that are killed while they park keys, and while they retry them', () => {
  let fresh: Database
  let database: Awaited<ReturnType<typeof openPostgres>>
  let log: EventLog
  let store: ViewStore
  let view: View
  const key = (id: string) => ({ tenant: 'default', key: id })
  const streams = Array.from({ length: 60 }, (_, n) => `s${n}`)
  const isPoisoned = (n: number): boolean => n % 3 === 0
  /** The positions of each stream's events, in order, and of the first that fails. */
  const written = new Map(streams.map(id => [id, [] as number[]]))
  const failsAt = new Map<string, number>()

  beforeAll(async () => {
    fresh = await freshDatabase()
    database = await openPostgres(fresh.url)
    log = await createLog(postgresLogStorage(database), { eventTypes: poisonedOf('broken').eventTypes })
    store = postgresViewStore(database)
    view = await store.open(viewShapeOf(totalsOf('broken')))
  })
  afterEach(killWorkers)
  afterAll(async () => {
    await log.close()
    await store.close()
    await database.close()
    await fresh.drop()
  })

  const start = (release: 'broken' | 'corrected'): Worker =>
    spawnWorker(import.meta.url, './poisoned-process.ts', [fresh.url, release])
  const mark = async (rounds: number): Promise<void> => {
    for (let round = 0; round < rounds; round++) {
      await Promise.all(
        streams.map(async (id, n) => {
          const by = isPoisoned(n) && (written.get(id)?.length ?? 0) % 5 === 2 ? -1 : 1
          const stream = { tenant: 'default', category: 'mark', id }
          const outcome = await log.append({ stream, expected: 'any', events: [Marks.Marked({ by })] })
          if (outcome.kind !== 'appended') throw new Error(outcome.kind)
          written.get(id)?.push(outcome.head.position)
          if (by < 0 && !failsAt.has(id)) failsAt.set(id, outcome.head.position)
        }),
      )
    }
  }
  async function until(look: () => Promise<boolean>): Promise<void> {
    while (!(await look())) await new Promise(resolve => setTimeout(resolve, 5))
  }
  const lettersLeft = async (): Promise<number> =>
    (await view.letters.list({ limit: 1000 })).reduce((sum, { events }) => sum + events, 0)
  const caughtUp = async (): Promise<boolean> => {
    const { position } = await log.head()
    return (await view.checkpoints()).every(at => at.position === position)
  }

  test('no event is lost, folded twice or out of order, and every letter is explained', async () => {
    await mark(10)
    for (let parked = 3; parked <= 12; parked += 3) {
      const worker = start('broken')
      const more = mark(2)
      await worker.line(line => Number(line.split(' ')[1]) >= parked)
      await worker.kill()
      await more
    }
    const parking = start('broken')
    await until(caughtUp)
    await parking.kill()
    const listed = await view.letters.list({ limit: 1000 })
    expect(new Map(listed.map(one => [one.key, one.position]))).toEqual(failsAt)
    for (const { key: id, position } of listed) {
      const waiting = (written.get(id) ?? []).filter(one => one >= position)
      expect(await view.letters.positions(key(id), 0, 1000)).toEqual(waiting)
    }
    const stands = { equal: true, parkedKeys: failsAt.size }
    expect(await verify({ log, views: store }, totalsOf('broken'))).toMatchObject(stands)

    expect(await view.letters.request('retry-all')).toEqual({ keys: failsAt.size })
    for (let left = await lettersLeft(); left > 100; ) {
      const goal = left - 80
      const worker = start('corrected')
      const more = mark(1)
      await until(async () => {
        left = await lettersLeft()
        return left <= goal
      })
      await worker.kill()
      await more
      left = await lettersLeft()
    }
    start('corrected')
    await until(async () => (await view.letters.openRequests()) === 0 && (await caughtUp()))
    expect(await view.letters.list({ limit: 1 })).toEqual([])
    expect(await verify({ log, views: store }, totalsOf('corrected'))).toMatchObject({ equal: true, parkedKeys: 0 })
    const { value } = await view.get(streams.map(key))
    expect(value.map(doc => JSON.parse(doc ?? 'null').seen)).toEqual(streams.map(id => written.get(id)))
  }, 120_000)
})
