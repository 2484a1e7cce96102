import { describe, expect, test } from 'vitest'
import { BifoldError, type RecordedEvent } from '../define/index.ts'
import type { LogOptions } from './create-log.ts'
import { type EventLog, origin } from './log.ts'
import { Orders, placed, stream } from './orders.contract.ts'
import { type OpenBatch, type Participant, type Participation, Refused } from './participant.ts'

/** What every storage must do where something writes along with appends. */
export function participantsContract(open: (options?: Partial<LogOptions>) => Promise<EventLog>): void {
  /** Takes part in every batch that has an order that was placed. */
  const taking = (within: Participation['within'], others: Partial<Participation> = {}): Participant => ({
    concerns: type => type === 'OrderPlaced',
    join: () => ({ within, committed: () => undefined, failed: () => false, ...others }),
  })
  const place = (log: EventLog, id: string, text = '1', expected: number | 'any' = 'any') =>
    log.append({ stream: stream(id), expected, events: [placed(text)] })
  const codeOf = (work: Promise<{ readonly kind: string }>): Promise<string> =>
    work.then(
      ({ kind }) => kind,
      error => String(error.code ?? error.message),
    )

  describe('a participant', () => {
    test('runs with the events of the batch before anybody sees them, and after what is before them in the log', async () => {
      const other = await open()
      await place(other, 'before')
      const seen: unknown[] = []
      let committed = 0
      const log = await open({
        participant: taking(
          async ({ base, head, events, read }: OpenBatch) => {
            const page = await read(origin, ['OrderPlaced'], 10)
            const of = ({ streamId, position, version, data }: RecordedEvent) => [streamId, position, version, data]
            seen.push([base.position, head, events.map(of), page.events.map(of), page.through, page.atHead])
          },
          { committed: () => committed++ },
        ),
      })
      const outcome = await place(log, 'a', 'x')
      if (outcome.kind !== 'appended') throw new Error(outcome.kind)
      const [event] = outcome.events
      expect(event?.position).toBe(2)
      const first = ['before', 1, 1, (await other.readAt([1]))[0]?.data]
      const own = ['a', 2, 1, event?.data]
      expect(seen).toEqual([[1, outcome.head, [own], [first, own], outcome.head, true]])
      expect(committed).toBe(1)
      expect(await other.readAt([2])).toEqual([event])
    })

    test('that throws undoes the batch, and is asked whether it is to go again', async () => {
      let failures = 0
      const asked: string[] = []
      const log = await open({
        participant: taking(
          async () => {
            if (failures++ < 2) throw new Error(`failed ${failures}`)
          },
          { failed: error => asked.push((error as Error).message) < 3 },
        ),
      })
      expect(await codeOf(place(log, 'a'))).toBe('appended')
      expect(asked).toEqual(['failed 1', 'failed 2'])
      expect((await log.head()).position).toBe(1)
      const giving = await open({
        participant: taking(async () => {
          throw new Error('no')
        }),
      })
      expect(await codeOf(place(giving, 'b'))).toBe('no')
      const plain = await open()
      expect(await plain.versionOf(stream('b'))).toBe(0)
      expect(await codeOf(place(plain, 'b', '1', 0))).toBe('appended')
    })

    test('refuses some appends of a batch: each is answered with its error, and the others go through in order', async () => {
      const refuse = (event: RecordedEvent) =>
        new BifoldError('project/append-refused', { projection: 'p', type: event.type, failure: 'f', problem: 'p' })
      const batches: number[] = []
      const log = await open({
        participant: taking(async ({ events }) => {
          batches.push(events.length)
          const bad = events.filter(({ streamId }) => streamId.startsWith('bad'))
          if (bad.length > 0) throw new Refused(new Map(bad.map(event => [event.position, refuse(event)])))
        }),
      })
      const ids = Array.from({ length: 40 }, (_, n) => (n % 5 === 2 ? `bad-${n}` : `good-${n}`))
      const outcomes = await Promise.all(ids.map(id => codeOf(place(log, id, id, 0))))
      expect(outcomes).toEqual(ids.map(id => (id.startsWith('bad') ? 'project/append-refused' : 'appended')))
      const { events } = await log.read(origin)
      expect(events.map(({ streamId }) => streamId)).toEqual(ids.filter(id => id.startsWith('good')))
      expect(events.map(({ position }) => position)).toEqual(events.map((_, n) => n + 1))
      expect(batches.length).toBeLessThan(10)
      // Nothing is remembered of what was refused.
      const plain = await open()
      for (const id of ids.filter(one => one.startsWith('bad')))
        expect(await codeOf(place(plain, id, id, 0))).toBe('appended')
    })

    test('of a command leaves its id free where it refuses, and is not asked again where the id is known', async () => {
      let asked = 0
      let refuses = true
      const log = await open({
        participant: taking(async ({ events: [event] }) => {
          asked++
          const error = new BifoldError('project/append-refused', {
            projection: 'p',
            type: 't',
            failure: 'f',
            problem: 'p',
          })
          if (refuses) throw new Refused(new Map([[event!.position, error]]))
        }),
      })
      const command = { name: 'order/Place', id: 'c-1', hash: 'h' }
      const send = () => codeOf(log.append({ stream: stream('a'), expected: 'any', events: [placed('1')], command }))
      expect(await send()).toBe('project/append-refused')
      refuses = false
      expect([await send(), await send(), asked]).toEqual(['appended', 'repeated', 2])
    })

    test('holds the lock: appends of others wait, and find what was written', async () => {
      let release = (): void => undefined
      let isIn = false
      const inside = new Promise<void>(resolve => {
        release = resolve
      })
      const log = await open({
        participant: taking(async () => {
          isIn = true
          await inside
        }),
      })
      const other = await open()
      const first = place(log, 'a', '1', 0)
      while (!isIn) await new Promise(resolve => setTimeout(resolve, 1))
      let isAnswered = false
      const second = codeOf(place(other, 'a', '2', 0)).finally(() => {
        isAnswered = true
      })
      await new Promise(resolve => setTimeout(resolve, 30))
      expect(isAnswered).toBe(false)
      release()
      expect([(await first).kind, await second]).toEqual(['appended', 'conflict'])
    })

    test('is passed over by batches without an event that concerns it, and by those that append nothing', async () => {
      let asked = 0
      const log = await open({
        participant: {
          concerns: () => false,
          join: () => {
            throw new Error('nobody asked')
          },
        },
      })
      expect(await codeOf(place(log, 'a', '1', 0))).toBe('appended')
      const other = await open({
        participant: taking(async () => {
          asked++
        }),
      })
      expect(await codeOf(place(other, 'a', '1', 0))).toBe('conflict')
      expect(asked).toBe(0)
    })

    test('and batches that go without it keep the order in which they were sent', async () => {
      const turn = () => new Promise<void>(resolve => setTimeout(resolve, 1))
      const log = await open({ batchEvents: 1, overlapEvents: 1, participant: taking(turn) })
      const ids = Array.from({ length: 30 }, (_, n) => `s-${n}`)
      await Promise.all(
        ids.map((id, n) => {
          const event = n % 3 === 1 ? placed(id) : Orders.OrderSent({})
          return log.append({ stream: stream(id), expected: 0, events: [event] })
        }),
      )
      const other = await open()
      const found: string[] = []
      for (let from = origin; found.length < ids.length; ) {
        const page = await other.read(from)
        found.push(...page.events.map(({ streamId }) => streamId))
        from = page.through
      }
      expect(found).toEqual(ids)
    })
  })
}
