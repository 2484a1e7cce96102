import pg from 'pg'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import type { Asked, Counted, Sent, Task } from './consistency/tasks.ts'
import type { Database } from './support/databases.ts'
import { describePostgres, freshDatabase } from './support/postgres.ts'
import { killWorkers, spawnWorker } from './support/workers.ts'

interface Role {
  readonly pid: number
  readonly ready: Promise<unknown>
  do<Answer>(task: Task): Promise<Answer>
}

/** A process of one role. */
function start(url: string, role: 'commands' | 'projections' | 'queries', ...more: readonly string[]): Role {
  const worker = spawnWorker(import.meta.url, './consistency/role-process.ts', [url, role, ...more])
  const answerOf = async (number: number): Promise<unknown> =>
    (JSON.parse(await worker.line(line => line.startsWith(`{"number":${number},`))) as { answer?: unknown }).answer
  const ready = answerOf(0)
  let tasks = 0
  return {
    pid: worker.pid,
    ready,
    do: async <Answer>(task: Task) => {
      await ready
      const number = ++tasks
      worker.tell(JSON.stringify({ number, task }))
      return (await answerOf(number)) as Answer
    },
  }
}

describePostgres('commands, projections and queries in a process each', () => {
  let database: Database
  let server: pg.Client
  let ids = 0
  beforeAll(async () => {
    database = await freshDatabase()
    server = new pg.Client(database.url)
    await server.connect()
  })
  afterEach(killWorkers)
  afterAll(async () => {
    await server.end()
    await database.drop()
  })

  const open = (commands: Role, count: number): Promise<readonly Sent[]> =>
    commands.do({ open: Array.from({ length: count }, () => `account-${ids++}`) })
  const connections = 'from pg_stat_activity where datname = current_database() and application_name = $1'

  test('2000 queries that wait for 2000 commands cost one subscription, and read what was written', async () => {
    const [commands, projections, queries] = [
      start(database.url, 'commands'),
      start(database.url, 'projections'),
      start(database.url, 'queries'),
    ]
    // Before the first command: what a log begins with it need not look up.
    await Promise.all([commands, projections, queries].map(role => role.ready))
    process.kill(projections.pid, 'SIGSTOP')
    const sent = await open(commands, 2000)
    const asking = queries.do<Asked>({ ask: sent })
    // Once every token is found, and the view is looked at again and again, whoever is not answered waits.
    let waiting: Counted
    do waiting = await queries.do<Counted>('count')
    while (waiting.looks < 5 || waiting.checked < 2000)
    expect(waiting.answered).toBe(0)
    // Tokens are looked up together.
    expect(waiting.checks).toBeLessThan(20)
    const { rows } = await server.query(`select query ${connections} and query like 'listen %'`, ['queries'])
    expect(rows.filter(({ query }) => query === 'listen "bifold_views"')).toHaveLength(1)
    const { rows: all } = await server.query(`select count(*)::integer ${connections}`, ['queries'])
    expect(all[0].count).toBeLessThan(30)

    process.kill(projections.pid, 'SIGCONT')
    const { right, looks, checks, ms } = await asking
    expect({ right, checks }).toEqual({ right: 2000, checks: waiting.checks })
    // A look every 20 ms, and one for each notification, of which there is at most one in 2 ms; however many wait.
    expect(looks).toBeLessThan(ms / 2 + 10)
  }, 120_000)

  test('where no notification arrives, polling finds what was written', async () => {
    const commands = start(database.url, 'commands')
    start(database.url, 'projections', 'deaf')
    const queries = start(database.url, 'queries', 'deaf')
    for (let round = 0; round < 5; round++) {
      const { right } = await queries.do<Asked>({ ask: await open(commands, 20) })
      expect(right).toBe(20)
    }
  }, 120_000)

  test('connections that listen are cut, and nothing that waits is late for good', async () => {
    const commands = start(database.url, 'commands')
    const projections = start(database.url, 'projections')
    const queries = start(database.url, 'queries')
    await Promise.all([commands, projections, queries].map(role => role.ready))
    for (let round = 0; round < 5; round++) {
      const asking = open(commands, 200).then(sent => queries.do<Asked>({ ask: sent }))
      for (const role of ['projections', 'queries']) {
        await server.query(`select pg_terminate_backend(pid) ${connections} and query like 'listen %'`, [role])
      }
      expect((await asking).right).toBe(200)
    }
  }, 120_000)
})
