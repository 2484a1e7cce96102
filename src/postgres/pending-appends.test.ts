import pg from 'pg'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { describePostgres, freshDatabase } from '../../test/support/postgres.ts'
import { typesOf } from '../define/app.ts'
import { events } from '../define/index.ts'
import { createLog, type EventLog, origin } from '../log/index.ts'
import { type Database, openPglite, openPostgres, postgresLogStorage } from './index.ts'

const Orders = events('order', { OrderPaid: z.object({ total: z.int() }) })
const stream = (id: string) => ({ tenant: 'default', category: 'order', id })
const paid = (total: number) => Orders.OrderPaid({ total })

const insert = {
  text: `insert into bifold.pending_appends (category, stream_id, expected_version, events, command_name, command_id, command_hash)
    values ('order', $1, $2, $3, $4, $5, $6)`,
}
const events1 = (total: number): string => JSON.stringify([{ type: 'OrderPaid', data: { total } }])

function suite(name: string, open: () => Promise<{ database: Database; drop: () => Promise<void> }>): void {
  describe(name, () => {
    let database: Database
    let drop: () => Promise<void>
    let log: EventLog

    beforeAll(async () => {
      ;({ database, drop } = await open())
      log = await createLog(postgresLogStorage(database), { eventTypes: typesOf([Orders]) })
    })
    afterAll(async () => {
      await log.close()
      await database.close()
      await drop()
    })

    const pending = (...values: readonly unknown[]): Promise<unknown> =>
      database.transaction(sql => sql.query(insert, [...values, ...Array(6 - values.length).fill(null)]))

    test('the events of an inserted row are in the log when its transaction commits', async () => {
      const before = await log.head()
      const waiting = log.waitBeyond(before.position, new AbortController().signal)
      const text = `[{"type": "OrderPaid", "data": {"total":   1, "b": "é"}, "tags": ["x"], "metadata": {"actor": "me"}},
        {"type": "OrderPaid", "data": {"total": 2}}]`
      await pending('a', 0, text)
      await waiting
      const page = await log.read(before)
      expect(page.events).toMatchObject([
        { position: before.position + 1, version: 1, data: { total: 1 }, tags: ['x'], metadata: { actor: 'me' } },
        { position: before.position + 2, version: 2, data: { total: 2 }, tags: [], metadata: {} },
      ])
      expect(page.events[0]?.id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
      expect(await database.sql.query({ text: 'select from bifold.pending_appends' })).toEqual([])
      expect((await log.append({ stream: stream('a'), expected: 2, events: [paid(3)] })).kind).toBe('appended')
    })

    test('a conflict aborts the transaction with a code of its own', async () => {
      await database.sql.script('create table if not exists mine (x int)')
      await pending('c', 0, events1(1))
      const clash = database.transaction(async sql => {
        await sql.query({ text: 'insert into mine values (1)' })
        await sql.query(insert, ['c', 0, events1(2), null, null, null])
      })
      await expect(clash).rejects.toMatchObject({ code: 'BF002' })
      expect(await database.sql.query({ text: 'select from mine' })).toEqual([])
      expect(await log.versionOf(stream('c'))).toBe(1)
    })

    test('several rows of one transaction follow each other', async () => {
      await database.transaction(async sql => {
        await sql.query(insert, ['d', 0, events1(1), null, null, null])
        await sql.query(insert, ['d', 1, events1(2), null, null, null])
        await sql.query(insert, ['d', null, events1(3), null, null, null])
      })
      expect((await log.readStream(stream('d'))).map(event => event.version)).toEqual([1, 2, 3])
    })

    test('a command id is carried out once, whichever way it comes', async () => {
      const command = { name: 'order/Pay', id: 'p-1', hash: 'h' }
      await pending('e', null, events1(1), command.name, command.id, command.hash)
      expect(await log.append({ stream: stream('e'), expected: 'any', events: [paid(1)], command })).toMatchObject({
        kind: 'repeated',
        outcome: { version: 1, events: [{ metadata: { commandId: 'p-1' } }] },
      })
      await expect(pending('e', null, events1(1), command.name, command.id, command.hash)).rejects.toMatchObject({
        code: 'BF005',
      })
    })

    test('a transaction that is not READ COMMITTED is refused', async () => {
      const snapshot = database.transaction(sql => sql.query(insert, ['f', null, events1(1), null, null, null]), {
        isolation: 'snapshot',
      })
      await expect(snapshot).rejects.toMatchObject({ code: 'BF003' })
    })

    test.each([
      ['no array', '{}'],
      ['no event', '[]'],
      ['no type', '[{"data": 1}]'],
      ['no data', '[{"type": "OrderPaid"}]'],
      ['something else', '[{"type": "OrderPaid", "data": 1, "colour": 1}]'],
      ['a NUL character', '[{"type": "OrderPaid", "data": "\\u0000"}]'],
      ['half of a surrogate pair', '[{"type": "OrderPaid", "data": "\\ud800"}]'],
      ['a control character in a tag', '[{"type": "OrderPaid", "data": 1, "tags": ["a\\nb"]}]'],
    ])('events with %s are refused when they are inserted', async (_, text) => {
      await expect(database.sql.query(insert, ['g', null, text, null, null, null])).rejects.toMatchObject({
        code: 'BF004',
      })
    })

    test('a control character in a stream is refused when it is inserted', async () => {
      await expect(database.sql.query(insert, ['g\n', null, events1(1), null, null, null])).rejects.toMatchObject({
        code: '23514',
      })
    })
  })
}

suite('pending appends on PGlite', async () => ({ database: await openPglite(), drop: async () => undefined }))

describePostgres('a server', () => {
  suite('pending appends on PostgreSQL', async () => {
    const { url, drop } = await freshDatabase()
    return { database: await openPostgres(url), drop }
  })

  describe('pending appends beside the lane', () => {
    let url: string
    let drop: () => Promise<void>
    beforeEach(async () => {
      ;({ url, drop } = await freshDatabase())
      return drop
    })

    test('a client that sits in its open transaction keeps nobody waiting, and its events come when it commits', async () => {
      const database = await openPostgres(url)
      const log = await createLog(postgresLogStorage(database), { eventTypes: typesOf([Orders]) })
      const sitter = new pg.Client(url)
      await sitter.connect()
      await sitter.query('begin')
      await sitter.query(insert.text, ['sat', 0, events1(7), null, null, null])

      const appendMany = (rounds: number) =>
        Promise.all(
          Array.from({ length: 16 }, async (_, caller) => {
            for (let i = 0; i < rounds; i++) {
              await log.append({ stream: stream(`s${caller}`), expected: 'any', events: [paid(i)] })
            }
          }),
        )
      await appendMany(50)
      expect((await log.head()).position).toBe(800)
      expect(await log.versionOf(stream('sat'))).toBe(0)
      await Promise.all([appendMany(50), sitter.query('commit')])
      expect((await log.head()).position).toBe(1601)

      const [sat] = await log.readStream(stream('sat'))
      expect(sat?.position).toBeGreaterThan(800)
      await sitter.end()
      await log.close()
      await database.close()
    })

    test('many clients that also lock rows of their own do not deadlock with the lane', async () => {
      const database = await openPostgres(url)
      const log = await createLog(postgresLogStorage(database), { eventTypes: typesOf([Orders]) })
      await database.sql.script(
        'create table stock (id int primary key, n int not null); insert into stock values (1, 0), (2, 0)',
      )
      const clients = 6
      const rounds = 20
      await Promise.all([
        ...Array.from({ length: clients }, async (_, client) => {
          for (let i = 0; i < rounds; i++) {
            await database.transaction(async sql => {
              await sql.query({ text: 'update stock set n = n + 1 where id = $1' }, [1 + (client % 2)])
              await sql.query(insert, [`c${client}`, i, events1(i), null, null, null])
            })
          }
        }),
        ...Array.from({ length: 8 }, async (_, caller) => {
          for (let i = 0; i < 40; i++) {
            await log.append({ stream: stream(`s${caller % 3}`), expected: 'any', events: [paid(i)] })
          }
        }),
      ])
      const total = clients * rounds + 8 * 40
      const positions: number[] = []
      for (let from = origin; positions.length < total; ) {
        const page = await log.read(from)
        positions.push(...page.events.map(event => event.position))
        from = page.through
      }
      expect(positions).toEqual(Array.from({ length: total }, (_, i) => i + 1))
      await log.close()
      await database.close()
    })
  })
})
