import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { typesOf } from '../define/app.ts'
import { commandIdsContract } from './command-ids.contract.ts'
import { createLog, type LogOptions } from './create-log.ts'
import { makeIds } from './ids.ts'
import { type EventLog, origin } from './log.ts'
import { appended, contracts, everything, Notes, Orders, place1, placed, stream } from './orders.contract.ts'
import { participantsContract } from './participants.contract.ts'
import { readingContract } from './reading.contract.ts'
import { systemRuntime } from './runtime.ts'
import { snapshotContract } from './snapshots.contract.ts'
import type { EncodedAppend, LogStorage } from './storage.ts'

/** Where a kind of storage keeps its log. */
export interface LogPlace {
  /** A storage on this place, as another process would open it. */
  storage(): LogStorage
  /** Makes the place as new. */
  reset(): Promise<void>
  close(): Promise<void>
}

/** What every storage must do, under the log that all of them share. */
export function logContract(name: string, open: () => Promise<LogPlace>): void {
  describe(`the log ${name}`, () => {
    let place: LogPlace
    const logs: EventLog[] = []
    const openLog = async (options: Partial<LogOptions> = {}): Promise<EventLog> => {
      const log = await createLog(place.storage(), { eventTypes: typesOf(contracts), ...options })
      logs.push(log)
      return log
    }

    beforeAll(async () => {
      place = await open()
    })
    beforeEach(() => place.reset())
    afterEach(async () => {
      await Promise.all(logs.splice(0).map(log => log.close()))
    })
    afterAll(() => place.close())

    snapshotContract(openLog, (log, stream, count) =>
      log.append({ stream, expected: 0, events: Array.from({ length: count }, () => placed('x')) }),
    )

    participantsContract(openLog)

    describe('appending', () => {
      test('gives positions without gaps, and versions within each stream', async () => {
        const log = await openLog()
        await appended(log, { stream: stream('a'), expected: 0, events: [placed('1'), placed('2')] })
        await appended(log, { stream: stream('b'), expected: 0, events: [placed('3')] })
        const last = await appended(log, { stream: stream('a'), expected: 2, events: [placed('4')] })
        expect(last[0]).toMatchObject({ position: 4, version: 3, streamId: 'a' })
        expect((await everything(log)).map(e => [e.position, e.streamId, e.version])).toEqual([
          [1, 'a', 1],
          [2, 'a', 2],
          [3, 'b', 1],
          [4, 'a', 3],
        ])
      })

      test('holds to an expected version, behind and ahead, and says the actual one', async () => {
        const log = await openLog()
        await appended(log, { stream: stream('a'), expected: 0, events: [placed('1'), placed('2')] })
        for (const expected of [0, 1, 3, 7]) {
          const outcome = await log.append({ stream: stream('a'), expected, events: [placed('x')] })
          expect(outcome).toEqual({ kind: 'conflict', version: 2 })
        }
        expect(await log.append({ stream: stream('new'), expected: 1, events: [placed('x')] })).toEqual({
          kind: 'conflict',
          version: 0,
        })
        await appended(log, { stream: stream('a'), expected: 'any', events: [placed('3')] })
        expect(await log.versionOf(stream('a'))).toBe(3)
      })

      test('keeps streams of the same id apart by tenant and by category', async () => {
        const log = await openLog()
        await appended(log, place1('a'))
        await appended(log, { stream: { ...stream('a'), tenant: 'other' }, expected: 0, events: [placed('x')] })
        await appended(log, {
          stream: { tenant: 'default', category: 'note', id: 'a' },
          expected: 0,
          events: [Notes.NoteTaken(1)],
        })
        expect(await log.versionOf(stream('a'))).toBe(1)
      })

      test('judges several appends to one stream in one batch one after the other', async () => {
        const log = await openLog()
        const outcomes = await Promise.all([
          log.append({ stream: stream('a'), expected: 0, events: [placed('1'), placed('2')] }),
          log.append({ stream: stream('a'), expected: 0, events: [placed('lost')] }),
          log.append({ stream: stream('b'), expected: 1, events: [placed('lost')] }),
          log.append({ stream: stream('a'), expected: 2, events: [placed('3')] }),
          log.append({ stream: stream('a'), expected: 'any', events: [placed('4')] }),
          log.append({ stream: stream('a'), expected: 4, events: [placed('5')] }),
          log.append({ stream: stream('b'), expected: 0, events: [placed('6')] }),
        ])
        expect(outcomes.map(o => (o.kind === 'conflict' ? `conflict ${o.version}` : o.kind))).toEqual([
          'appended',
          'conflict 2',
          'conflict 0',
          'appended',
          'appended',
          'appended',
          'appended',
        ])
        const all = await everything(log)
        expect(all.map(e => [e.position, e.streamId, e.version, (e.data as { text: string }).text])).toEqual([
          [1, 'a', 1, '1'],
          [2, 'a', 2, '2'],
          [3, 'a', 3, '3'],
          [4, 'a', 4, '4'],
          [5, 'a', 5, '5'],
          [6, 'b', 1, '6'],
        ])
      })

      test('lets one conflict, one repetition and the others of a batch be what they are', async () => {
        const log = await openLog()
        const command = { name: 'order/Place', id: 'c', hash: 'h' }
        await appended(log, { ...place1('known'), command })
        await appended(log, place1('exists'))
        for (const round of ['x', 'y']) {
          const outcomes = await Promise.all([
            log.append({ stream: stream(`${round}1`), expected: 0, events: [placed('1'), placed('2'), placed('3')] }),
            log.append({ stream: stream('exists'), expected: 0, events: [placed('lost')] }),
            log.append({ stream: stream(`${round}2`), expected: 0, events: [placed('1')] }),
            log.append({ stream: stream('known'), expected: round === 'x' ? 0 : 1, events: [placed('lost')], command }),
            log.append({ stream: stream(`${round}3`), expected: 0, events: [placed('1'), placed('2')] }),
          ])
          expect(outcomes.map(o => o.kind)).toEqual(['appended', 'conflict', 'appended', 'repeated', 'appended'])
        }
        const all = await everything(log)
        expect(all.map(e => `${e.streamId}-${e.version}`)).toEqual([
          'known-1',
          'exists-1',
          ...['x', 'y'].flatMap(r => [1, 2, 3].map(v => `${r}1-${v}`).concat(`${r}2-1`, `${r}3-1`, `${r}3-2`)),
        ])
        expect(all.map(e => e.position)).toEqual(all.map((_, i) => i + 1))
      })

      test('holds to an expected version that another process has passed', async () => {
        const [one, two] = [await openLog(), await openLog()]
        await appended(one, { ...place1('a'), expected: 0 })
        await appended(one, { ...place1('a'), expected: 1 })
        await appended(two, { ...place1('a'), expected: 2 })
        const outcomes = await Promise.all([
          one.append({ ...place1('b'), expected: 0 }),
          one.append({ ...place1('a'), expected: 2 }),
          one.append({ ...place1('c'), expected: 0 }),
        ])
        expect(outcomes.map(o => (o.kind === 'conflict' ? o.version : o.kind))).toEqual(['appended', 3, 'appended'])
        await appended(one, { ...place1('a'), expected: 3 })
        expect(await two.append({ ...place1('a'), expected: 3 })).toEqual({ kind: 'conflict', version: 4 })
        expect((await everything(two)).map(e => e.position)).toEqual([1, 2, 3, 4, 5, 6])
      })

      test('answers with a head that reads what was written', async () => {
        const log = await openLog()
        const outcome = await log.append(place1('a'))
        if (outcome.kind !== 'appended') throw new Error(outcome.kind)
        expect(outcome.head).toEqual(await log.head())
        expect(outcome.head.fingerprint).toBe(outcome.events[0]?.id.slice(-12))
        expect(await log.holds(outcome.head)).toBe(true)
        expect(await log.holds({ ...outcome.head, fingerprint: '000000000000' })).toBe(false)
        expect(await log.holds({ ...outcome.head, position: 2 })).toBe(false)
        expect(await log.holds(origin)).toBe(true)
      })

      test('says of many points at once whether it holds them', async () => {
        const log = await openLog()
        const appended = await Promise.all(['a', 'b', 'c'].map(id => log.append(place1(id))))
        const anchors = appended.map(outcome => (outcome.kind === 'appended' ? outcome.head : origin))
        const [first = origin] = anchors
        const others = [
          { ...first, fingerprint: '000000000000' },
          { ...first, position: 9 },
        ]
        // A process that holds none of them itself.
        const reader = await openLog()
        const asked = [...anchors, ...others, origin, first]
        const held = await Promise.all(asked.map(anchor => reader.holds(anchor)))
        expect(held).toEqual([true, true, true, false, false, true, true])
      })

      test('lets two processes share the log', async () => {
        const [one, two] = [await openLog(), await openLog()]
        await Promise.all(
          Array.from({ length: 200 }, (_, i) => (i % 2 ? one : two).append(place1(`s${i % 10}`, String(i)))),
        )
        const all = await everything(one)
        expect(all.map(e => e.position)).toEqual(Array.from({ length: 200 }, (_, i) => i + 1))
        expect(await everything(two)).toEqual(all)
        for (let s = 0; s < 10; s++) {
          expect((await one.readStream(stream(`s${s}`))).map(e => e.version)).toEqual(
            Array.from({ length: 20 }, (_, i) => i + 1),
          )
        }
      })
    })

    commandIdsContract(openLog)

    describe('what is refused', () => {
      test('is refused alone, and leaves no gap', async () => {
        const log = await openLog()
        const outcomes = await Promise.allSettled([
          log.append(place1('a')),
          log.append(place1('b', 'nul \u0000')),
          log.append(place1('c\u0000')),
          log.append(place1('c\nd')),
          log.append(place1('')),
          log.append(place1('x'.repeat(257))),
          log.append(place1('\ud800')),
          log.append(place1('b', '\udc00')),
          log.append({ ...place1('d'), events: [Orders.OrderPlaced({ text: 1 as never })] }),
          log.append({ ...place1('d'), events: [Orders.OrderPaid(1n)] }),
          log.append({ ...place1('d'), events: [Orders.OrderPaid(undefined)] }),
          log.append({ ...place1('d'), events: [Orders.OrderPaid('x'.repeat(2 ** 20))] }),
          log.append({ ...place1('d'), events: [Orders.OrderPaid(nested(513))] }),
          log.append({ ...place1('d'), events: [{ category: 'order', type: 'Unheard', data: {} }] }),
          log.append({ ...place1('d'), events: [Notes.NoteTaken(1)] }),
          log.append({ ...place1('d'), events: [] }),
          log.append({ ...place1('d'), expected: -1 }),
          log.append({ ...place1('d'), events: Array.from({ length: 1001 }, () => placed('x')) }),
          log.append({ ...place1('d'), command: { name: 'a', id: 'b\nc', hash: 'h' } }),
          log.append(place1('b')),
          log.append({ ...place1('b'), events: [Orders.OrderPaid(nested(512))] }),
        ])
        expect(outcomes.map(o => (o.status === 'rejected' ? o.reason.code : o.value.kind))).toEqual([
          'appended',
          'log/document-refused',
          'log/invalid-stream',
          'log/invalid-stream',
          'log/invalid-stream',
          'log/invalid-stream',
          'log/invalid-stream',
          'log/document-refused',
          'log/invalid-event',
          'log/invalid-event',
          'log/invalid-event',
          'log/document-refused',
          'log/document-refused',
          'log/invalid-append',
          'log/invalid-append',
          'log/invalid-append',
          'log/invalid-append',
          'log/invalid-append',
          'log/invalid-append',
          'appended',
          'appended',
        ])
        expect((await everything(log)).map(e => e.position)).toEqual([1, 2, 3])
      })

      test('by the storage refuses its batch whole, and writes nothing', async () => {
        const storage = place.storage()
        await storage.open()
        const good = encoded('a', '{"x":1}')
        for (const bad of ['{"x":', 'no json', '']) {
          await expect(storage.appendBatch([good, encoded('b', bad)], origin)).rejects.toMatchObject({
            code: 'log/document-refused',
          })
        }
        expect(await storage.head()).toEqual(origin)
        expect(await storage.outcomeOf('default', 'append', good.command.id)).toBeUndefined()
        await storage.close()
      })
    })

    readingContract(openLog)

    describe('a history that is not the one this process knows', () => {
      test('is refused under the lock', async () => {
        const storage = place.storage()
        await storage.open()
        const { head } = await storage.appendBatch([encoded('a', '1')], origin)
        await expect(
          storage.appendBatch([encoded('b', '1')], { ...head, fingerprint: '0123456789ab' }),
        ).rejects.toMatchObject({ code: 'log/rewound', data: { position: 1 } })
        await expect(
          storage.appendBatch([encoded('b', '1')], { position: 2, fingerprint: '0123456789ab' }),
        ).rejects.toMatchObject({ code: 'log/rewound' })
        expect(await storage.head()).toEqual(head)
        expect((await storage.appendBatch([encoded('b', '1')], head)).head.position).toBe(2)
        expect((await storage.appendBatch([encoded('b', '1')], head)).head.position).toBe(3)
        await storage.close()
      })
    })

    describe('closing', () => {
      test('finishes what was taken, and takes nothing more', async () => {
        const log = await openLog()
        const under = Array.from({ length: 20 }, () => log.append(place1('a')))
        const closing = log.close()
        await expect(log.append(place1('a'))).rejects.toMatchObject({ code: 'log/closed' })
        await closing
        expect((await Promise.all(under)).map(o => o.kind)).toEqual(Array(20).fill('appended'))
        expect((await (await openLog()).head()).position).toBe(20)
      })
    })

    test('keeps its id when it is opened again', async () => {
      expect((await openLog()).id).toBe((await openLog()).id)
    })
  })
}

const newId = makeIds(systemRuntime)

function encoded(id: string, data: string): EncodedAppend {
  return {
    stream: stream(id),
    expected: 'any',
    command: { name: 'append', id: newId(), hash: '-' },
    events: [{ id: newId(), type: 'OrderPlaced', schemaVersion: 1, tags: [], data, metadata: '{}' }],
  }
}

function nested(depth: number): unknown {
  let value: unknown = []
  for (let i = 1; i < depth; i++) value = [value]
  return value
}
