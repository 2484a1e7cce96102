import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { typesOf } from '../define/app.ts'
import { event, events, type RecordedEvent } from '../define/index.ts'
import { createLog, type LogOptions } from './create-log.ts'
import { makeIds } from './ids.ts'
import { type AppendRequest, type EventLog, origin } from './log.ts'
import { contracts, Notes, Orders, place1, placed, stream } from './orders.contract.ts'
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
    const appended = async (log: EventLog, request: AppendRequest): Promise<readonly RecordedEvent[]> => {
      const outcome = await log.append(request)
      if (outcome.kind !== 'appended') throw new Error(`expected it to be appended, and it was: ${outcome.kind}`)
      return outcome.events
    }
    const everything = async (log: EventLog): Promise<readonly RecordedEvent[]> => {
      const all: RecordedEvent[] = []
      for (let from = origin; ; ) {
        const page = await log.read(from)
        all.push(...page.events)
        if (page.atHead) return all
        from = page.through
      }
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

    describe('what is written', () => {
      test('comes out as it went in, to the byte, handed over or read', async () => {
        const [writer, reader] = [await openLog(), await openLog()]
        const data = {
          z: 1,
          a: [1e21, 1e-7, -1.5, Number.MAX_SAFE_INTEGER, null, true],
          '10': 'digits first',
          text: 'line\nbreak, tab\t, quote ", backslash \\, \\u0000 spelled out, é, 漢, 🜁, \u2028, \u007f',
          empty: { '': [] },
        }
        const written = await appended(writer, {
          stream: { tenant: 'ten ant', category: 'order', id: 'ä/"q"\\{},\u2028 NULL' },
          expected: 0,
          events: [Orders.OrderPaid(data), Orders.OrderPaid('just text'), Orders.OrderPaid(null)],
          metadata: { correlationId: 'c', actor: 'Zoë', traceparent: '00-1-2-01' },
        })
        const read = await everything(reader)
        expect(JSON.stringify(read)).toBe(JSON.stringify(written))
        expect(JSON.stringify(read[0]?.data)).toBe(JSON.stringify(data))
        expect(read[0]?.tags).toEqual(['paid', 'a "quoted" \\ {tag}, NULL', 'é'])
        expect(read[0]?.metadata).toEqual({ correlationId: 'c', actor: 'Zoë', traceparent: '00-1-2-01' })
        expect(read[0]?.recordedAt).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/)
        expect(read[0]?.id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
      })

      test('cannot be changed by whoever reads it', async () => {
        const log = await openLog()
        const [paid] = await appended(log, {
          stream: stream('a'),
          expected: 0,
          events: [Orders.OrderPaid({ deep: [{ x: 1 }] })],
        })
        const { deep } = paid!.data as { deep: [object] }
        expect(() => Object.assign(deep[0], { x: 2 })).toThrow()
      })

      test('carries times that never go back', async () => {
        const [one, two] = [await openLog(), await openLog()]
        for (let i = 0; i < 20; i++) await (i % 2 ? one : two).append(place1('a'))
        const times = (await everything(one)).map(e => e.recordedAt)
        expect(times).toEqual([...times].sort())
      })

      test('is brought to the newest schema version on every way out', async () => {
        const old = events('order', { OrderPlaced: z.object({ name: z.string() }) })
        const writer = await openLog({ eventTypes: typesOf([old]) })
        const command = { name: 'order/Place', id: 'c1', hash: 'h' }
        await appended(writer, { stream: stream('a'), expected: 0, events: [old.OrderPlaced({ name: 'x' })], command })
        const newer = events('order', {
          OrderPlaced: event(z.object({ text: z.string(), lines: z.int() }), {
            schemaVersion: 3,
            upcast: { 1: ({ name: text }) => ({ text }), 2: data => ({ ...data, lines: 0 }) },
          }),
        })
        const reader = await openLog({ eventTypes: typesOf([newer]) })
        const expected = { schemaVersion: 1, data: { text: 'x', lines: 0 } }
        expect((await reader.readStream(stream('a')))[0]).toMatchObject(expected)
        expect((await reader.read(origin)).events[0]).toMatchObject(expected)
        expect((await reader.outcomeOf('default', command))?.events[0]).toMatchObject(expected)
        await appended(reader, {
          stream: stream('a'),
          expected: 1,
          events: [newer.OrderPlaced({ text: 'y', lines: 1 })],
        })
        await expect(writer.readStream(stream('a'))).rejects.toMatchObject({
          code: 'log/undecodable-event',
          data: { position: 2 },
        })
      })

      test('of a type that the app does not know stops only who reads it', async () => {
        const log = await openLog()
        await log.append(place1('a'))
        await log.append({ stream: { ...stream('n'), category: 'note' }, expected: 0, events: [Notes.NoteTaken(1)] })
        await log.append(place1('b'))
        const other = await openLog({ eventTypes: typesOf([Orders]) })
        const page = await other.read(origin)
        expect(page.events.map(e => e.position)).toEqual([1])
        expect(page.through.position).toBe(1)
        await expect(other.read(page.through)).rejects.toMatchObject({ code: 'log/unknown-event-type' })
        const filtered = await other.read(origin, { types: ['OrderPlaced'] })
        expect(filtered.events.map(e => e.position)).toEqual([1, 3])
      })
    })

    describe('a command id', () => {
      const command = { name: 'order/Place', id: 'c-1', hash: 'h1' }
      const request: AppendRequest = { stream: stream('a'), expected: 0, events: [placed('1'), placed('2')], command }

      test('is carried out once, with the same outcome ever after', async () => {
        const log = await openLog()
        await log.append(place1('before'))
        const first = await appended(log, request)
        expect(first[0]?.metadata.commandId).toBe('c-1')
        await log.append({ stream: stream('a'), expected: 2, events: [placed('3')] })
        const other = await openLog()
        for (const again of [log, other]) {
          const outcome = await again.append({ ...request, expected: 'any' })
          expect(outcome).toMatchObject({
            kind: 'repeated',
            outcome: { hash: 'h1', version: 2, head: { position: 3, fingerprint: first[1]?.id.slice(-12) } },
          })
          expect(outcome.kind === 'repeated' && outcome.outcome.events).toEqual(first)
        }
        expect((await other.outcomeOf('default', command))?.events).toEqual(first)
        expect(await log.versionOf(stream('a'))).toBe(3)
      })

      test('is carried out once when it comes twice in one batch', async () => {
        const log = await openLog()
        const outcomes = await Promise.all([
          log.append({ ...request, expected: 1 }),
          log.append(request),
          log.append({ ...request, expected: 'any' }),
          log.append({ ...request, stream: stream('b') }),
        ])
        expect(outcomes.map(o => o.kind)).toEqual(['conflict', 'appended', 'repeated', 'repeated'])
        expect((await log.head()).position).toBe(2)
      })

      test('is another one under another tenant or name', async () => {
        const log = await openLog()
        await appended(log, request)
        await appended(log, { ...request, expected: 'any', command: { ...command, name: 'order/Pay' } })
        await appended(log, { ...request, stream: { ...stream('a'), tenant: 'other' } })
      })

      test('that met a conflict is still free', async () => {
        const log = await openLog()
        expect((await log.append({ ...request, expected: 5 })).kind).toBe('conflict')
        expect(await log.outcomeOf('default', command)).toBeUndefined()
        await appended(log, request)
      })

      test('is remembered where nothing was to be done', async () => {
        const log = await openLog()
        await appended(log, place1('a'))
        const nothing: AppendRequest = { stream: stream('a'), expected: 1, events: [], command }
        expect(await log.append(nothing)).toMatchObject({ kind: 'appended', events: [], version: 1 })
        await log.append(place1('a'))
        const head = { position: 1 }
        expect(await log.append(nothing)).toMatchObject({ kind: 'repeated', outcome: { events: [], version: 1, head } })
        expect(await log.append({ ...nothing, command: { ...command, id: 'c-2' } })).toEqual({
          kind: 'conflict',
          version: 2,
        })
      })

      test('that changed nothing is judged by what another process appended meanwhile', async () => {
        const [one, two] = [await openLog(), await openLog()]
        const nothing = (expected: number): AppendRequest => ({ stream: stream('a'), expected, events: [], command })
        await appended(two, place1('a'))
        expect(await one.append(nothing(0))).toEqual({ kind: 'conflict', version: 1 })
        await appended(one, { ...place1('a'), expected: 1 })
        await appended(two, { ...place1('a'), expected: 2 })
        expect(await one.append(nothing(2))).toEqual({ kind: 'conflict', version: 3 })
        expect(await one.outcomeOf('default', command)).toBeUndefined()
      })
    })

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
