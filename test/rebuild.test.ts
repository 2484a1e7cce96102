import pg from 'pg'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { createLog } from '../src/log/index.ts'
import { type Database, openPostgres, postgresLogStorage } from '../src/postgres/index.ts'
import { compareText, type GenerationStatus } from '../src/project/index.ts'
import { Counts, releaseOf } from './rebuild/counts.ts'
import type { Database as TestDatabase } from './support/databases.ts'
import { describePostgres, freshDatabase } from './support/postgres.ts'
import { killWorkers, spawnWorker, type Worker } from './support/workers.ts'

// Processes of our own, on a machine that others use too.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 })

const streams = 400
const eventsPerStream = 25
const releases = [
  ['of a view with sums', 'summed'],
  ['of a view with sums whose rows are made with those of another one', 'joined'],
] as const

describePostgres('on a server', () => describe.each(releases)('a rebuild %s that is killed', killed))

function killed(_: string, release: (typeof releases)[number][1]): void {
  const besides = release === 'joined' ? [', "ofDigit", _state, _shard', ", 1, '{}', 0"] : ['', '']
  /** A key that is to be written. */
  const insertOne = `
    insert into bifold_views.totals__g2 (_tenant, _key, _position, total, count, _doc${besides[0]})
    values ('default', 's0200', 1, 1, 1, '{}'${besides[1]})`
  let fresh: TestDatabase
  let database: Database
  let blocking: pg.Client

  beforeEach(async () => {
    fresh = await freshDatabase()
    database = await openPostgres(fresh.url)
    await count(eventsPerStream)
    blocking = new pg.Client({ connectionString: fresh.url })
    await blocking.connect()
    // The first release's view is there, and serves.
    const worker = start('1')
    await generation(worker, one => one.role === 'serving' && one.behind === 0)
    while ((await rowsOf('select 1 from bifold_views._loads')).length > 0)
      await new Promise(resolve => setTimeout(resolve, 5))
    await worker.kill()
  })
  afterEach(async () => {
    await killWorkers()
    await blocking.end()
    await database.close()
    await fresh.drop()
  })

  /** So many events in each stream. */
  async function count(events: number): Promise<void> {
    const log = await createLog(postgresLogStorage(database), { eventTypes: releaseOf('1').eventTypes })
    await Promise.all(
      Array.from({ length: streams }, (_, n) =>
        log.append({
          stream: { tenant: 'default', category: 'count', id: `s${String(n).padStart(4, '0')}` },
          expected: 'any',
          events: Array.from({ length: events }, (_, at) => Counts.Counted({ by: n + at })),
        }),
      ),
    )
    await log.close()
  }
  const start = (which: string, ...args: readonly string[]): Worker =>
    spawnWorker(import.meta.url, './rebuild/release-process.ts', [fresh.url, which, ...args])
  const generation = (worker: Worker, is: (one: GenerationStatus) => boolean): Promise<unknown> =>
    worker.line(line => (JSON.parse(line) as GenerationStatus[]).some(is))
  const isBuilding = ({ role, progress }: GenerationStatus): boolean =>
    role === 'building' && (progress?.position ?? 0) > 0
  const serves = ({ generation: number, role, behind }: GenerationStatus): boolean =>
    number === 2 && role === 'serving' && behind === 0
  async function rowsOf<Row>(text: string): Promise<readonly Row[]> {
    return database.sql.query<Row>({ text })
  }
  /** Resolves when a statement like this waits for a lock. */
  async function waiting(like: string): Promise<void> {
    const text = `select 1 from pg_stat_activity where wait_event_type = 'Lock' and query ilike '${like}'`
    while ((await rowsOf(text)).length === 0) await new Promise(resolve => setTimeout(resolve, 5))
  }
  /** Nothing is left of what was killed, and the rows are what the log makes of them. */
  async function isWhole(eventsOfEach = eventsPerStream): Promise<void> {
    const tables = await rowsOf<{ name: string }>(
      "select tablename as name from pg_tables where schemaname = 'bifold_views' and tablename like 'totals%' order by 1",
    )
    expect(tables.map(({ name }) => name)).toEqual(['totals__g1', 'totals__g2', 'totals__g2__sums'])
    expect(await rowsOf('select * from bifold_views._loads')).toEqual([])
    const [indexes] = await rowsOf<{ count: number }>("select count(*) from pg_indexes where tablename = 'totals__g2'")
    expect(indexes?.count).toBe(release === 'joined' ? 4 : 3)
    const rows = await rowsOf<{ key: string; total: number; count: number; position: number }>(
      'select _key as key, total, count, _position as position from bifold_views.totals__g2 order by _key',
    )
    const expected = await rowsOf(
      `select stream_id as key, sum((data->>'by')::bigint)::bigint as total, count(*), max(position) as position
         from bifold.events group by 1 order by 1`,
    )
    expect(rows.length).toBe(streams)
    expect(rows).toEqual(expected)
    const sums = await rowsOf<{ group: string; sum: string; rows: number; value: number }>(
      `select _group as "group", _sum as sum, sum(_rows)::bigint as rows, sum(_value)::bigint as value
         from bifold_views.totals__g2__sums where _rows <> 0 and _sum <> '' group by 1, 2 order by 1, 2`,
    )
    const totals = Map.groupBy(rows, ({ total }) => `rest ${total % 3}`)
    expect(sums).toEqual(
      Array.from(totals, ([group, own]) => [
        { group, sum: 'streams', rows: own.length, value: own.length },
        { group, sum: 'total', rows: own.length, value: own.reduce((sum, { total }) => sum + total, 0) },
      ])
        .flat()
        .toSorted((a, b) => compareText(a.group, b.group) || compareText(a.sum, b.sum)),
    )
    if (release === 'summed') return
    // Each of ten digits has as many streams, and they as many events.
    const [wrong] = await rowsOf<{ count: number }>(
      `select count(*) from bifold_views.totals__g2 where "ofDigit" <> ${(streams / 10) * eventsOfEach}
         or _ref_digit <> 'digit ' || right(_key, 1)`,
    )
    expect(wrong?.count).toBe(0)
  }

  test('while it folds begins again', async () => {
    const killed = start(release, '4000')
    await generation(killed, isBuilding)
    await killed.kill()
    expect(await rowsOf('select 1 from bifold_views.totals__g2')).toEqual([])
    await generation(start(release), serves)
    await isWhole()
  })

  test('while it writes rows begins again, at once, although the server has not noticed yet', async () => {
    const slow = start(release, '4000')
    await generation(slow, isBuilding)
    // Somebody holds a key that is to be written: whoever writes rows waits in the midst of it.
    await blocking.query('begin')
    await blocking.query(insertOne)
    await slow.kill()
    const killed = start(release)
    await waiting('copy %')
    await killed.kill()
    const next = start(release)
    await next.line(() => true)
    // The connection that waits is the next one's: that of the killed process was ended.
    const waitingFor = "select pid from pg_stat_activity where wait_event_type = 'Lock' and query ilike 'copy %'"
    const before = new Set((await rowsOf<{ pid: number }>(waitingFor)).map(({ pid }) => pid))
    const isOther = async () => (await rowsOf<{ pid: number }>(waitingFor)).some(({ pid }) => !before.has(pid))
    while (!(await isOther()) && before.size === 0) await new Promise(resolve => setTimeout(resolve, 5))
    await blocking.query('rollback')
    await generation(next, serves)
    await isWhole()
  })

  test('and goes on later, stopped while it wrote rows, changes nothing', async () => {
    const slow = start(release, '4000')
    await generation(slow, isBuilding)
    await blocking.query('begin')
    await blocking.query(insertOne)
    await slow.kill()
    const stopped = start(release)
    await waiting('copy %')
    process.kill(stopped.pid, 'SIGSTOP')
    await blocking.query('rollback')
    const next = start(release)
    await generation(next, serves)
    await isWhole()
    process.kill(stopped.pid, 'SIGCONT')
    const { length } = stopped.lines
    await stopped.line(line => stopped.lines.lastIndexOf(line) > length)
    await isWhole()
  })

  test('while it makes indexes makes them when it goes on', async () => {
    const slow = start(release, '4000')
    await generation(slow, isBuilding)
    await blocking.query('begin')
    await blocking.query('lock table bifold_views.totals__g2 in row exclusive mode')
    await slow.kill()
    const killed = start(release)
    await waiting('create index %')
    await killed.kill()
    await blocking.query('rollback')
    await generation(start(release), serves)
    await isWhole()
  })

  test('while it catches up with what was appended meanwhile goes on from there', async () => {
    // It must not serve before.
    await blocking.query('begin')
    await blocking.query("select * from bifold_views._active where projection = 'totals' for update")
    const killed = start(release)
    await generation(killed, one => one.generation === 2 && one.behind === 0)
    const loaded = streams * eventsPerStream
    const appended = (async () => {
      for (let round = 0; round < 5; round++) await count(1)
    })()
    const reached = async () =>
      (
        await rowsOf<{ position: number }>(
          "select position from bifold_views._checkpoints where projection = 'totals' and generation = 2",
        )
      ).map(({ position }) => position)
    while (!(await reached()).some(position => position > loaded)) await new Promise(resolve => setTimeout(resolve, 1))
    await killed.kill()
    await appended
    // However fast it was.
    await count(1)
    await blocking.query('rollback')
    await generation(start(release), serves)
    await isWhole(eventsPerStream + 6)
  })

  test('while it swaps comes to serve when it goes on', async () => {
    await blocking.query('begin')
    await blocking.query("select * from bifold_views._active where projection = 'totals' for update")
    const killed = start(release)
    await waiting('%_activate%')
    await killed.kill()
    await blocking.query('rollback')
    await generation(start(release), serves)
    await isWhole()
  })

  // One whose rows refer to others is built page by page then, as any view is that follows the log.
  if (release === 'joined') return
  test('after it has written what its memory did not hold goes on from there', async () => {
    const spilled = start(release, '4000', '20000')
    const written = async () => (await rowsOf('select 1 from bifold_views.totals__g2')).length
    await generation(spilled, isBuilding)
    while ((await written()) === 0) await new Promise(resolve => setTimeout(resolve, 5))
    await spilled.kill()
    expect(await written()).toBeLessThan(streams)
    const checkpoints = await rowsOf<{ position: number }>(
      "select position from bifold_views._checkpoints where projection = 'totals' and generation = 2",
    )
    expect(checkpoints.some(({ position }) => position > 0 && position < streams * eventsPerStream)).toBe(true)
    await generation(start(release), serves)
    await isWhole()
  })
}
