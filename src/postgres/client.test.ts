import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { describePostgres, freshDatabase } from '../../test/support/postgres.ts'
import { type Database, openPglite, openPostgres } from './index.ts'

const whoAmI = { text: 'select pg_backend_pid() as pid' }
const values = {
  name: 'test_values',
  text: `select 9007199254740991::bigint as big, '{1,2,null}'::bigint[] as bigs, '{}'::int[] as none,
    $1::json as doc, '{"b": 1, "a":  2}'::jsonb as docb, 1.50::numeric as exact, 1.5::float8 as double, true as yes,
    '2026-01-02 03:04:05.6+00'::timestamptz as at, $2::text[] as texts, null::bigint as nothing`,
}

function suite(name: string, open: () => Promise<{ database: Database; drop: () => Promise<void> }>): void {
  describe(name, () => {
    let database: Database
    let drop: () => Promise<void>
    beforeAll(async () => {
      ;({ database, drop } = await open())
    })
    afterAll(async () => {
      await database.close()
      await drop()
    })

    test('values come as the same JavaScript', async () => {
      const doc = '{"b":  1, "a": [1.0, 1e400]}'
      const texts = ['a,b', '"q"', '\\', '{}', 'NULL', '']
      for (let again = 0; again < 2; again++) {
        expect(await database.sql.query(values, [doc, texts])).toEqual([
          {
            big: 9007199254740991,
            bigs: [1, 2, null],
            none: [],
            doc,
            docb: '{"a": 2, "b": 1}',
            exact: '1.50',
            double: 1.5,
            yes: true,
            at: '2026-01-02 03:04:05.6+00',
            texts,
            nothing: null,
          },
        ])
      }
    })

    test('a bigint that a number cannot hold is an error, not another number', async () => {
      await expect(database.sql.query({ text: 'select 9007199254740993::bigint as big' })).rejects.toThrow(RangeError)
    })

    test('a transaction is rolled back when it throws', async () => {
      await database.sql.script('create table if not exists kept (x int)')
      const failing = database.transaction(async sql => {
        await sql.query({ text: 'insert into kept values (1)' })
        throw new Error('no')
      })
      await expect(failing).rejects.toThrow('no')
      expect(await database.sql.query({ text: 'select from kept' })).toEqual([])
    })

    test('a transaction in which a statement failed is not committed, and says so, though nobody minded the statement', async () => {
      await database.sql.script('create table if not exists minded (x int primary key)')
      const careless = database.transaction(async sql => {
        await sql.query({ text: 'insert into minded values (1)' })
        await sql.query({ text: 'insert into minded values (1)' }).catch(() => undefined)
      })
      await expect(careless).rejects.toMatchObject({ code: '25P02' })
      expect(await database.sql.query({ text: 'select from minded' })).toEqual([])
    })

    test('a transaction can be read only, and of one snapshot', async () => {
      const write = database.transaction(sql => sql.query({ text: 'create table never (x int)' }), { readOnly: true })
      await expect(write).rejects.toMatchObject({ code: '25006' })
      const isolation = database.transaction(
        async sql => sql.query({ text: `select current_setting('transaction_isolation') as level` }),
        { readOnly: true, isolation: 'snapshot' },
      )
      expect(await isolation).toEqual([{ level: 'repeatable read' }])
    })

    test('notifications are heard until it is ended', async () => {
      const heard: string[] = []
      let onHeard = (): void => undefined
      const next = () => new Promise<void>(resolve => (onHeard = resolve))
      const end = await database.listen(
        'some_channel',
        payload => {
          heard.push(payload)
          onHeard()
        },
        () => undefined,
      )
      const first = next()
      await database.sql.query({ text: `select pg_notify('some_channel', 'one')` })
      await first
      await end()
      await database.sql.query({ text: `select pg_notify('some_channel', 'two')` })
      expect(heard).toEqual(['one'])
    })
  })
}

suite('the embedded database', async () => ({ database: await openPglite(), drop: async () => undefined }))

describePostgres('a server', () => {
  suite('PostgreSQL', async () => {
    const { url, drop } = await freshDatabase()
    return { database: await openPostgres(url), drop }
  })

  describe('connections', () => {
    let database: Database
    let knife: Database
    let url: string
    let drop: () => Promise<void>
    beforeAll(async () => {
      const fresh = await freshDatabase()
      drop = fresh.drop
      url = fresh.url
      database = await openPostgres(fresh.url)
      knife = await openPostgres(fresh.url)
    })
    afterAll(async () => {
      await Promise.all([database.close(), knife.close()])
      await drop()
    })
    const cut = (pid: number) => knife.sql.query({ text: 'select pg_terminate_backend($1)' }, [pid])

    test('for reading cannot write, whatever the URL sets', async () => {
      await expect(database.reader.query({ text: 'create table never (x int)' })).rejects.toMatchObject({
        code: '25006',
      })
    })

    test('of a lane stay the same, and are made again after a loss', async () => {
      const lane = database.lane()
      const [before] = await lane.query<{ readonly pid: number }>(whoAmI)
      expect(await lane.query(whoAmI)).toEqual([before])
      const sleeping = lane.query({ text: 'select pg_sleep(30)' })
      const failed = sleeping.catch(error => error)
      await cut(before?.pid ?? 0)
      expect(database.isConnectionLost(await failed)).toBe(true)
      const [after] = await lane.query<{ readonly pid: number }>(whoAmI)
      expect(after?.pid).not.toBe(before?.pid)
      await lane.close()
    })

    test('of a pipelined lane answer in order, and fail together', async () => {
      const lane = database.lane({ pipelined: true })
      const numbers = Array.from({ length: 20 }, (_, n) => n)
      const ask = (n: number) =>
        lane.query<{ readonly n: number }>({ name: 'test_pipelined', text: 'select $1::int as n' }, [n])
      expect((await Promise.all(numbers.map(ask))).flat().map(row => row.n)).toEqual(numbers)
      const bad = lane.query({ text: 'select 1 / 0' })
      const good = ask(7)
      await expect(bad).rejects.toMatchObject({ code: '22012' })
      expect(await good).toEqual([{ n: 7 }])
      const [mine] = await lane.query<{ readonly pid: number }>(whoAmI)
      const both = Promise.allSettled([lane.query({ text: 'select pg_sleep(30)' }), ask(1)])
      await cut(mine?.pid ?? 0)
      for (const outcome of await both) {
        expect(outcome.status === 'rejected' && database.isConnectionLost(outcome.reason)).toBe(true)
      }
      expect(await ask(2)).toEqual([{ n: 2 }])
      await lane.close()
    })

    test('of a lane give up a statement that takes too long', async () => {
      const lane = database.lane({ statementTimeoutMs: 50 })
      const error = await lane.query({ text: 'select pg_sleep(30)' }).catch(caught => caught)
      expect(database.isConnectionLost(error)).toBe(true)
      await lane.close()
    })

    test('of a transaction whose process says nothing any more are ended, and hold nobody up', async () => {
      const silent = await openPostgres(url, { idleTransactionMs: 1000, poolConnections: 1 })
      // As behind a pooler, which hands out connections that others have started.
      await silent.sql.script('set idle_in_transaction_session_timeout = 0')
      await knife.sql.script('create table held (n integer); insert into held values (1)')
      let changed = (): void => undefined
      const hasChanged = new Promise<void>(resolve => {
        changed = resolve
      })
      const begun = silent.transaction(async sql => {
        await sql.query({ text: 'update held set n = 2' })
        changed()
        // Waits for the lock that the first statement took.
        await knife.sql.query({ text: 'update held set n = n + 10' })
        await sql.query(whoAmI)
      })
      // Where it fails before, the test does so too, with the reason.
      await Promise.race([hasChanged, begun])
      const error = await begun.catch((error: unknown) => error)
      expect(silent.isConnectionLost(error)).toBe(true)
      expect(await knife.sql.query({ text: 'select n from held' })).toEqual([{ n: 11 }])
      await silent.close()
    })

    test('that listen are made again, and say so', async () => {
      let reconnected = (): void => undefined
      const again = new Promise<void>(resolve => (reconnected = resolve))
      let heard = (): void => undefined
      const notified = new Promise<void>(resolve => (heard = resolve))
      const end = await database.listen('other_channel', heard, reconnected)
      const [listener] = await knife.sql.query<{ readonly pid: number }>({
        text: `select pid from pg_stat_activity where query like 'listen "other_channel"%'`,
      })
      await cut(listener?.pid ?? 0)
      await again
      await knife.sql.query({ text: `select pg_notify('other_channel', '')` })
      await notified
      await end()
    })

    test('that cannot be made are lost connections', async () => {
      const nowhere = await openPostgres('postgres://nobody@127.0.0.1:1/nothing')
      const error = await nowhere.sql.query(whoAmI).catch(caught => caught)
      expect(nowhere.isConnectionLost(error)).toBe(true)
      expect(nowhere.isConnectionLost(new TypeError('x'))).toBe(false)
      await nowhere.close()
    })
  })
})
