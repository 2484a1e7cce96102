import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { run, type System } from '../../src/index.ts'
import { type Database as Client, openPostgres, postgres } from '../../src/postgres/index.ts'
import { verify } from '../../src/verify/index.ts'
import type { Database } from '../support/databases.ts'
import { describePostgres, freshDatabase } from '../support/postgres.ts'
import { killWorkers, spawnWorker, type Worker } from '../support/workers.ts'
import { Sheet, sheets } from './sheets.ts'

describePostgres('a projection committed with appends, on PostgreSQL', () => {
  let fresh: Database
  let client: Client
  let systems: System[]
  beforeAll(async () => {
    fresh = await freshDatabase()
    client = await openPostgres(fresh.url)
  })
  beforeEach(async () => {
    systems = []
  })
  afterEach(async () => {
    await Promise.all(systems.map(system => system.close()))
    await killWorkers()
  })
  afterAll(async () => {
    await client.close()
    await fresh.drop()
  })

  const start = async (app = sheets().app, appendHoldMs = 1000): Promise<System> => {
    const projections = { appendHoldMs, retry: { minDelayMs: 5, maxDelayMs: 50 } }
    const system = await run(app, { on: postgres({ url: fresh.url }), projections, onWarning: () => undefined })
    systems.push(system)
    return system
  }
  /** Streams whose events and row do not agree, in one snapshot. */
  const apart = async (): Promise<{ readonly events: number; readonly streams: number }> => {
    const [found] = await client.sql.query<{ readonly events: number; readonly streams: number }>({
      text: `
select coalesce(sum(e.events), 0)::integer as events,
       (count(*) filter (where e.events is distinct from r.sum or e.position is distinct from r._position))::integer as streams
  from (select stream_id, count(*) as events, max(position) as position
          from bifold.events where category = 'sheet' group by stream_id) e
  full join bifold_views.sheets r on r._key = e.stream_id`,
    })
    return found!
  }

  test('never shows an event without its row, while its writers are killed and stopped', async () => {
    const spawn = (): Worker => spawnWorker(import.meta.url, './writer-process.ts', [fresh.url])
    const beyond = (worker: Worker, count: number) => worker.line(line => Number(line) >= count)
    let isOver = false
    let looks = 0
    const missing: unknown[] = []
    // The view is there once a process has started.
    let workers = [spawn(), spawn()]
    await Promise.all(workers.map(worker => beyond(worker, 20)))
    const looking = (async () => {
      while (!isOver) {
        const found = await apart()
        if (found.streams > 0) missing.push(found)
        looks++
      }
    })()
    for (let round = 0; round < 4; round++) {
      const [first, second] = workers as [Worker, Worker]
      await first.kill()
      process.kill(second.pid, 'SIGSTOP')
      const third = spawn()
      await beyond(third, 60)
      process.kill(second.pid, 'SIGCONT')
      await beyond(third, 120)
      expect(second.lines.concat(first.lines, third.lines).filter(line => line.startsWith('missing'))).toEqual([])
      workers = [second, third]
    }
    await Promise.all(workers.map(worker => worker.kill()))
    isOver = true
    await looking
    expect(missing).toEqual([])
    expect(looks).toBeGreaterThan(10)
    expect((await apart()).events).toBeGreaterThan(500)
    const { app, Sheets } = sheets()
    const system = await start(app)
    await system.drain()
    expect(await verify(system, Sheets)).toMatchObject({ equal: true, parkedKeys: 0 })
  }, 180_000)

  test('does not hold up appends whose checkpoint somebody else holds, and follows when that is over', async () => {
    const { app, sheet } = sheets()
    const holdMs = 3000
    const system = await start(app, holdMs)
    await system.dispatch(Sheet, 'held', 'Add', { n: 1 })
    await client.transaction(async sql => {
      await sql.query({ text: 'select from bifold_views._checkpoints for update' })
      await system.dispatch(Sheet, 'held', 'Add', { n: 1 })
      const begin = performance.now()
      for (let n = 0; n < 3; n++) await system.dispatch(Sheet, 'held', 'Add', { n: 1 })
      // One waits so long, and those after it do not.
      expect(performance.now() - begin).toBeLessThan(holdMs)
      expect((await system.query(sheet, { id: 'held' })).value?.sum).toBe(1)
    })
    await system.drain()
    expect((await system.query(sheet, { id: 'held' })).value?.sum).toBe(5)
    const { position } = await system.dispatch(Sheet, 'held', 'Add', { n: 1 })
    expect((await system.query(sheet, { id: 'held' })).asOf).toBe(position)
  })

  test('whose store cannot write a row is left behind by the append, which is accepted, and says so', async () => {
    const { app, sheet } = sheets()
    const system = await start(app)
    const [view] = await client.sql.query<{ readonly name: string }>({
      text: `select 'bifold_views.sheets__g' || generation as name from bifold_views._active where projection = 'sheets'`,
    })
    await system.dispatch(Sheet, 'odd', 'Add', { n: 1 })
    await client.sql.script(`alter table ${view?.name} add constraint odd check (_key <> 'odd' or sum < 2)`)
    await system.dispatch(Sheet, 'odd', 'Add', { n: 1 })
    expect((await system.query(sheet, { id: 'odd' })).value?.sum).toBe(1)
    while ((await system.status())[0]?.failure?.code !== 'project/store-failed')
      await new Promise(resolve => setTimeout(resolve, 5))
    await client.sql.script(`alter table ${view?.name} drop constraint odd`)
    await system.drain()
    expect((await system.query(sheet, { id: 'odd' })).value?.sum).toBe(2)
    await system.dispatch(Sheet, 'odd', 'Add', { n: 1 })
    expect((await system.query(sheet, { id: 'odd' })).value?.sum).toBe(3)
  })

  test('follows what is appended by a transaction of somebody else, and the next append finds it at the head', async () => {
    const { app, sheet } = sheets()
    const system = await start(app)
    await system.dispatch(Sheet, 'p', 'Add', { n: 1 })
    await client.sql.query({
      text: `insert into bifold.pending_appends (category, stream_id, events)
             values ('sheet', 'p', '[{"type": "Added", "data": {"n": 10}}]')`,
    })
    await system.dispatch(Sheet, 'p', 'Add', { n: 100 })
    expect((await system.query(sheet, { id: 'p' })).value?.sum).toBe(111)
    await client.sql.query({
      text: `insert into bifold.pending_appends (category, stream_id, events)
             values ('sheet', 'p', '[{"type": "Added", "data": {"n": 10}}]')`,
    })
    await system.drain()
    expect((await system.query(sheet, { id: 'p' })).value?.sum).toBe(121)
  })
})
