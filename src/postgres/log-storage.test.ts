import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { describePostgres, freshDatabase } from '../../test/support/postgres.ts'
import { typesOf } from '../define/app.ts'
import { events } from '../define/index.ts'
import { createLog, type EventLog, keyHash, origin } from '../log/index.ts'
import { type Database, openPglite, openPostgres, postgresLogStorage, pruneCommands } from './index.ts'

const Orders = events('order', { OrderPaid: z.object({ total: z.int() }), OrderSent: z.object({}) })
const eventTypes = typesOf([Orders])
const append = (log: EventLog, id: string, total: number, commandId?: string) =>
  log.append({
    stream: { tenant: 'default', category: 'order', id },
    expected: 'any',
    events: [Orders.OrderPaid({ total })],
    ...(commandId === undefined ? {} : { command: { name: 'order/Pay', id: commandId, hash: 'h' } }),
  })

function suite(name: string, open: () => Promise<{ database: Database; drop: () => Promise<void> }>): void {
  describe(name, () => {
    let database: Database
    let drop: () => Promise<void>
    const logs: EventLog[] = []
    const openLog = async () => {
      const log = await createLog(postgresLogStorage(database), { eventTypes })
      logs.push(log)
      return log
    }

    beforeAll(async () => {
      ;({ database, drop } = await open())
      await (await openLog()).close()
    })
    beforeEach(() => database.sql.script('truncate bifold.events, bifold.commands, bifold.snapshots'))
    afterEach(async () => {
      await Promise.all(logs.splice(0).map(log => log.close()))
    })
    afterAll(async () => {
      await database.close()
      await drop()
    })

    test('an event that a check on the table forbids fails alone', async () => {
      const log = await openLog()
      await database.sql.script(`alter table bifold.events add constraint not_13 check (data ->> 'total' <> '13')`)
      const outcomes = await Promise.allSettled(Array.from({ length: 30 }, (_, n) => append(log, `s${n}`, n)))
      await database.sql.script('alter table bifold.events drop constraint not_13')
      expect(outcomes.flatMap(o => (o.status === 'rejected' ? [o.reason.code] : []))).toEqual(['log/document-refused'])
      expect(outcomes[13]?.status).toBe('rejected')
      expect((await log.head()).position).toBe(29)
    })

    test('a database restored to an earlier state is noticed, and nothing is applied to it', async () => {
      const [log, reader, idle] = [await openLog(), await openLog(), await openLog()]
      for (let n = 0; n < 5; n++) await append(log, 'a', n)
      const { through } = await reader.read(origin)
      await idle.head()
      await database.sql.script('delete from bifold.events where position > 3')
      await expect(reader.head()).rejects.toMatchObject({ code: 'log/rewound', data: { position: 5 } })
      const other = await openLog()
      for (let n = 0; n < 4; n++) await append(other, 'b', n)
      await expect(append(log, 'a', 6)).rejects.toMatchObject({ code: 'log/rewound', data: { position: 5 } })
      await expect(idle.read(through)).rejects.toMatchObject({ code: 'log/rewound' })
      await expect(append(idle, 'a', 6)).rejects.toMatchObject({ code: 'log/rewound' })
      expect((await other.head()).position).toBe(7)
    })

    test('a snapshot of a history that was rewound is not answered from, and gives way to one of the new history', async () => {
      const stream = { tenant: 'default', category: 'order', id: 'a' }
      const keep = async (log: EventLog, version: number, state: string) => {
        const [event] = await log.readStream(stream, { fromVersion: version, maxEvents: 1 })
        const at = { position: event?.position ?? 0, fingerprint: event?.id.slice(-12) ?? '' }
        const snapshot = { stream, snapshotVersion: 1, version, at, state }
        await log.writeSnapshots([snapshot])
        return snapshot
      }
      const read = (log: EventLog) => log.readFromSnapshot(stream, { snapshotVersion: 1, maxEvents: 9 })
      const log = await openLog()
      for (let n = 0; n < 5; n++) await append(log, 'a', n)
      const old = await keep(log, 5, '"old"')
      await database.sql.script('delete from bifold.events where position > 3')
      const other = await openLog()
      expect((await read(other)).events).toHaveLength(3)
      for (let n = 0; n < 3; n++) await append(other, 'a', n)
      expect((await read(other)).events).toHaveLength(6)
      await other.writeSnapshots([old])
      expect((await read(other)).snapshot).toBeUndefined()
      await keep(other, 4, '"new"')
      expect(await read(other)).toMatchObject({ snapshot: { version: 4, state: '"new"' }, events: [{}, {}] })
    })

    test('the hash of a stream is what the engine makes it, however it came here', async () => {
      const ids = ['a', 'o-1', 'ünï çødé', '日本語', '\u{1f600}\u200d\u{10ffff}', 'x'.repeat(256)]
      const log = await openLog()
      const stored = () =>
        database.sql.query<{ stream_id: string; stream_hash: number }>({
          text: 'select stream_id, stream_hash from bifold.events order by position',
        })
      for (const id of ids) await append(log, id, 1)
      for (const id of ids) {
        await database.sql.query(
          { text: 'insert into bifold.pending_appends (category, stream_id, events) values ($1, $2, $3)' },
          ['order', id, '[{"type":"OrderPaid","data":{"total":1}}]'],
        )
      }
      const found = await stored()
      expect(found).toHaveLength(2 * ids.length)
      for (const { stream_id, stream_hash } of found) expect(stream_hash).toBe(keyHash('default', stream_id) | 0)
      expect(found.some(({ stream_hash }) => stream_hash < 0)).toBe(true)
      expect(found.some(({ stream_hash }) => stream_hash > 0)).toBe(true)
    })

    test('events whose hash is not known are read by everybody', async () => {
      const log = await openLog()
      for (let n = 0; n < 20; n++) await append(log, `s${n}`, n)
      await database.sql.script('update bifold.events set stream_hash = null where position <= 10')
      const storage = postgresLogStorage(database)
      const shards = { count: 5, own: [2], upTo: 20 }
      const { events } = await storage.read(origin, ['OrderPaid'], 100, shards)
      const own = (id: string): boolean => keyHash('default', id) % 5 === 2
      expect(events.map(({ stream }) => stream.id)).toEqual(
        Array.from({ length: 20 }, (_, n) => `s${n}`).filter((id, n) => n < 10 || own(id)),
      )
      await storage.close()
    })

    test('a rare type is sought in bounded steps, and found', async () => {
      await database.sql.script(`
        insert into bifold.events
        select n, 'default', 'order', 's' || n, 1, case when n = 44000 then 'OrderSent' else 'OrderPaid' end, 1,
               gen_random_uuid(), '{}', '{"total":1}', '{}', clock_timestamp()
          from generate_series(1, 45000) as n`)
      const log = await openLog()
      const found: [number, number[]][] = []
      for (let from = origin; ; ) {
        const page = await log.read(from, { types: ['OrderSent'] })
        found.push([page.through.position, page.events.map(event => event.position)])
        from = page.through
        if (page.atHead) break
      }
      expect(found).toEqual([
        [20_000, []],
        [40_000, []],
        [45_000, [44_000]],
      ])
    })

    test('a page of large documents is cut by its size, and nothing is left out', async () => {
      const storage = postgresLogStorage(database)
      await database.sql.script(`
        insert into bifold.events
        select n, 'default', 'order', 's' || n, 1, 'OrderPaid', 1, gen_random_uuid(), '{}',
          json_build_object('total', n, 'note', (
            select string_agg(md5(random()::text || n || i), '') from generate_series(1, 30000) i)), '{}', now()
          from generate_series(1, 20) n`)
      for (const types of [undefined, ['OrderPaid']]) {
        const pages: number[][] = []
        for (let from = origin; ; ) {
          const page = await storage.read(from, types, 1000)
          pages.push(page.events.map(event => event.position))
          from = page.through
          if (page.atHead) break
        }
        expect(pages.map(page => page.length)).toEqual([9, 9, 2])
        expect(pages.flat()).toEqual(Array.from({ length: 20 }, (_, n) => n + 1))
      }
      await storage.close()
    })

    test('command ids are forgotten by age, in steps, and can then be used again', async () => {
      const log = await openLog()
      for (let n = 0; n < 3; n++) await append(log, 'a', n, `c${n}`)
      expect(await pruneCommands(database, 60_000)).toBe(0)
      expect((await append(log, 'a', 0, 'c0')).kind).toBe('repeated')
      await database.sql.script(`
        insert into bifold.commands
        select 'default', 'order/Pay', 'old' || n, 'h', 1, 1, 1, now() - interval '2 days' from generate_series(1, 6000) n`)
      expect(await pruneCommands(database, 86_400_000)).toBe(6000)
      expect((await append(log, 'a', 0, 'c0')).kind).toBe('repeated')
      expect((await append(log, 'a', 0, 'old1')).kind).toBe('appended')
    })

    test('an error of the database that is nobody’s fault has a code, and the log goes on', async () => {
      const log = await openLog()
      await append(log, 'a', 1)
      await database.sql.script('alter table bifold.commands rename to commands_gone')
      await expect(append(log, 'a', 2)).rejects.toMatchObject({
        code: 'log/storage-failed',
        data: { sqlState: '42P01' },
      })
      await database.sql.script('alter table bifold.commands_gone rename to commands')
      expect(await append(log, 'a', 3)).toMatchObject({ kind: 'appended', version: 2 })
    })
  })
}

suite('the log’s storage on PGlite', async () => ({ database: await openPglite(), drop: async () => undefined }))

describePostgres('a server', () => {
  suite('the log’s storage on PostgreSQL', async () => {
    const { url, drop } = await freshDatabase()
    return { database: await openPostgres(url), drop }
  })

  test('connections that are cut under load cost nothing but time', async () => {
    const { url, drop } = await freshDatabase()
    const database = await openPostgres(url)
    const log = await createLog(postgresLogStorage(database), { eventTypes })
    let reconnects = 0
    log.onReconnect(() => reconnects++)
    const callers = 8
    const rounds = 60
    let appended = 0
    let done = false
    const cutting = (async () => {
      const knife = await openPostgres(url)
      while (!done) {
        await knife.sql.query({
          text: `select pg_terminate_backend(pid) from pg_stat_activity
            where datname = current_database() and pid <> pg_backend_pid() and query like '%append_batch%'`,
        })
        await new Promise(resolve => setTimeout(resolve, 40))
      }
      await knife.close()
    })()
    await Promise.all(
      Array.from({ length: callers }, async (_, caller) => {
        // Until a connection was cut: on a fast machine all is appended before the knife is there.
        for (let n = 0; n < rounds || reconnects === 0; n++) {
          const outcome = await append(log, `s${caller}`, n, `${caller}-${n}`)
          expect(outcome).toMatchObject({ kind: 'appended', version: n + 1 })
          appended++
        }
      }),
    )
    done = true
    await cutting
    expect((await log.head()).position).toBe(appended)
    expect(reconnects).toBeGreaterThan(0)
    await log.close()
    await database.close()
    await drop()
  })

  test('a database whose default is another isolation is appended to all the same', async () => {
    const { url, drop } = await freshDatabase()
    const settings = await openPostgres(url)
    const [row] = await settings.sql.query<{ readonly name: string }>({ text: 'select current_database() as name' })
    await settings.sql.script(`alter database ${row?.name} set default_transaction_isolation to 'serializable'`)
    const [one, two] = [await openPostgres(url), await openPostgres(url)]
    const [first, second] = [
      await createLog(postgresLogStorage(one), { eventTypes }),
      await createLog(postgresLogStorage(two), { eventTypes }),
    ]
    await Promise.all(Array.from({ length: 100 }, (_, n) => append(n % 2 ? first : second, `s${n % 7}`, n)))
    expect((await first.head()).position).toBe(100)
    await Promise.all([first.close(), second.close()])
    await Promise.all([one.close(), two.close(), settings.close()])
    await drop()
  })
})
