import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { typesOf } from '../define/app.ts'
import { event, events } from '../define/index.ts'
import type { LogOptions } from './create-log.ts'
import { keyHash } from './key-hash.ts'
import { type EventLog, origin } from './log.ts'
import { appended, everything, Notes, Orders, place1, placed, stream } from './orders.contract.ts'

/** What every log must do for those who read it. `openLog` opens one more on the place of the test. */
export function readingContract(openLog: (options?: Partial<LogOptions>) => Promise<EventLog>): void {
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

  describe('reading', () => {
    test('goes page by page, and knows the head', async () => {
      const log = await openLog()
      for (let i = 0; i < 7; i++) await log.append(place1('a', String(i)))
      const reader = await openLog()
      const pages = []
      for (let from = origin; ; ) {
        const page = await reader.read(from, { maxEvents: 3 })
        if (page.events.length > 0) pages.push(page.events.map(e => e.position))
        expect(page.through.position).toBe(page.events.at(-1)?.position ?? from.position)
        from = page.through
        if (page.atHead) break
      }
      expect(pages).toEqual([[1, 2, 3], [4, 5, 6], [7]])
    })

    test('by type passes over the others, and gets on over ranges without any', async () => {
      const log = await openLog()
      for (let i = 0; i < 10; i++) {
        const orderEvent = i === 2 || i === 7 ? Orders.OrderSent({}) : placed(String(i))
        await log.append({ stream: stream('a'), expected: 'any', events: [orderEvent] })
      }
      for (const reader of [log, await openLog()]) {
        const types = ['OrderSent', 'OrderPaid']
        const first = await reader.read(origin, { types, maxEvents: 1 })
        expect(first.events.map(e => e.position)).toEqual([3])
        const second = await reader.read(first.through, { types, maxEvents: 5 })
        expect(second.events.map(e => e.position)).toEqual([8])
        expect(second.through).toEqual(await log.head())
        const rest = await reader.read(second.through, { types })
        expect(rest).toEqual({ events: [], through: second.through, atHead: true })
      }
    })

    test('for some shards leaves out other streams, and gets on to where the page is to end', async () => {
      const log = await openLog()
      const ids = Array.from({ length: 30 }, (_, n) => (n % 2 === 0 ? `o-${n}` : `größe ${n}`))
      for (const id of ids) await log.append(place1(id))
      const reader = await openLog({ windowEvents: 1 })
      const head = await reader.head()
      const types = ['OrderPlaced']
      const idsOf = async (own: readonly number[], upTo: number, maxEvents = 100) => {
        const page = await reader.read(origin, { types, maxEvents, shards: { count: 4, own, upTo } })
        return { ids: page.events.map(e => e.streamId), through: page.through.position, atHead: page.atHead }
      }
      const of = (own: readonly number[], many = 30) =>
        ids.slice(0, many).filter(id => own.includes(keyHash('default', id) % 4))
      for (const own of [[0], [1, 3], [2], [0, 1, 2, 3], []]) {
        expect(await idsOf(own, head.position)).toEqual({ ids: of(own), through: 30, atHead: true })
        expect(await idsOf(own, 12)).toEqual({ ids: of(own, 12), through: 12, atHead: false })
      }
      // What is asked for lies behind: nothing is read, and nothing is read twice.
      const behind = await reader.read(origin, { types, maxEvents: 10 })
      const shards = { count: 4, own: [0], upTo: 5 }
      expect(await reader.read(behind.through, { types, shards })).toEqual({ ...behind, events: [], atHead: false })
      // Without types it counts for nothing.
      expect((await reader.read(origin, { shards })).events).toHaveLength(30)
      const first = of([2])[0] as string
      expect(await idsOf([2], 30, 1)).toEqual({ ids: [first], through: ids.indexOf(first) + 1, atHead: false })
    })

    test('a stream from a version on', async () => {
      const log = await openLog()
      for (let i = 0; i < 5; i++) await log.append(place1('a'))
      await log.append(place1('b'))
      expect((await log.readStream(stream('a'))).map(e => e.version)).toEqual([1, 2, 3, 4, 5])
      expect((await log.readStream(stream('a'), { fromVersion: 4 })).map(e => e.version)).toEqual([4, 5])
      const two = await log.readStream(stream('a'), { fromVersion: 2, maxEvents: 2 })
      expect(two.map(e => e.version)).toEqual([2, 3])
      expect(await log.readStream(stream('none'))).toEqual([])
    })

    test('the events at some positions, in order, as every other way out has them', async () => {
      const log = await openLog()
      await log.append({ stream: stream('a'), expected: 0, events: ['1', '2', '3', '4'].map(placed) })
      const all = await log.readStream(stream('a'))
      expect(await log.readAt([4, 1, 3, 9])).toEqual([all[0], all[2], all[3]])
      expect(await log.readAt([])).toEqual([])
    })

    test('the versions of many streams at once', async () => {
      const log = await openLog()
      await Promise.all(Array.from({ length: 30 }, (_, i) => log.append(place1(`s${i % 20}`))))
      const versions = await Promise.all(Array.from({ length: 25 }, (_, i) => log.versionOf(stream(`s${i}`))))
      expect(versions).toEqual(Array.from({ length: 25 }, (_, i) => (i < 10 ? 2 : i < 20 ? 1 : 0)))
    })

    test('from a point that is not in this history is refused', async () => {
      const log = await openLog()
      await log.append(place1('a'))
      await log.append(place1('a'))
      const reader = await openLog()
      for (const position of [1, 2, 9]) {
        for (const types of [undefined, ['OrderPlaced']]) {
          const bogus = { position, fingerprint: '0123456789ab' }
          for (const each of [log, reader]) {
            await expect(each.read(bogus, types === undefined ? {} : { types })).rejects.toMatchObject({
              code: 'log/rewound',
              data: { position },
            })
          }
        }
      }
      // It was the caller's checkpoint that was of another history: the log goes on.
      expect((await reader.read(origin)).events).toHaveLength(2)
    })

    test('wakes when this process appends, when another one does, and when it is told to stop', async () => {
      // Never by polling.
      const pollMs = 1_000_000
      const [one, two] = [await openLog({ minPollMs: pollMs, maxPollMs: pollMs }), await openLog()]
      const never = new AbortController()
      for (const writer of [one, two, two, one]) {
        const { through } = await caughtUp(one)
        const waiting = one.waitBeyond(through.position, never.signal)
        await writer.append(place1('a'))
        await waiting
        expect((await caughtUp(one)).through.position).toBe(through.position + 1)
      }
      const stop = new AbortController()
      const waiting = one.waitBeyond(99, stop.signal)
      stop.abort()
      await waiting
    })
  })
}

async function caughtUp(log: EventLog) {
  for (let from = origin; ; ) {
    const page = await log.read(from)
    if (page.atHead) return page
    from = page.through
  }
}
