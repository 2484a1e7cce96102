import { expect, test } from 'vitest'
import { z } from 'zod'
import { typesOf } from '../define/app.ts'
import { events } from '../define/index.ts'
import { createLog } from './create-log.ts'
import { type Anchor, type EventLog, origin } from './log.ts'
import { memoryLogStorage } from './memory.ts'
import { systemRuntime } from './runtime.ts'
import type { LogStorage } from './storage.ts'

const Orders = events('order', { OrderPlaced: z.object({ n: z.number() }), OrderSent: z.object({}) })
const eventTypes = typesOf([Orders])
const append = (log: EventLog, n: number) =>
  log.append({
    stream: { tenant: 'default', category: 'order', id: 'a' },
    expected: 'any',
    events: [n % 10 === 3 ? Orders.OrderSent({}) : Orders.OrderPlaced({ n })],
  })

/** Counts how often the storage is read. */
function counted(storage: LogStorage): { readonly storage: LogStorage; readonly reads: () => number } {
  let reads = 0
  return {
    reads: () => reads,
    storage: {
      ...storage,
      read: (...args) => {
        reads++
        return storage.read(...args)
      },
    },
  }
}

/** A reader at the tail: answers with the positions that it has seen, until it has seen the last one. */
async function tail(log: EventLog, last: number, maxEvents: number, types?: readonly string[]): Promise<number[]> {
  const never = new AbortController().signal
  const seen: number[] = []
  for (let from: Anchor = origin; from.position < last; ) {
    const page = await log.read(from, types === undefined ? { maxEvents } : { maxEvents, types })
    seen.push(...page.events.map(event => event.position))
    from = page.through
    if (page.atHead && from.position < last) await log.waitBeyond(from.position, never)
  }
  return seen
}

const upTo = (last: number): number[] => Array.from({ length: last }, (_, i) => i + 1)

test('events of this process are handed over, and the storage is read no more than once', async () => {
  const { storage, reads } = counted(memoryLogStorage())
  const log = await createLog(storage, { eventTypes })
  const readers = Promise.all([tail(log, 500, 7), tail(log, 500, 1000), tail(log, 500, 50, ['OrderSent'])])
  for (let n = 1; n <= 500; n++) await append(log, n)
  const [few, many, filtered] = await readers
  expect(few).toEqual(upTo(500))
  expect(many).toEqual(upTo(500))
  expect(filtered).toEqual(upTo(500).filter(n => n % 10 === 3))
  expect(reads()).toBeLessThanOrEqual(1)
})

test('however many read at the tail what another process appends, the log is read once for them', async () => {
  const shared = memoryLogStorage()
  const { storage, reads } = counted(shared)
  const [log, other] = [await createLog(storage, { eventTypes }), await createLog(shared, { eventTypes })]
  const readers = Promise.all(Array.from({ length: 10 }, () => tail(log, 100, 1000)))
  for (let n = 1; n <= 100; n++) await append(other, n)
  for (const seen of await readers) expect(seen).toEqual(upTo(100))
  expect(reads()).toBeLessThanOrEqual(101)
})

test('batches of two processes that interleave reach every reader in order, without a gap', async () => {
  const shared = memoryLogStorage()
  const logs = [await createLog(shared, { eventTypes }), await createLog(shared, { eventTypes })]
  const readers = Promise.all(logs.flatMap(log => [tail(log, 600, 5), tail(log, 600, 1000)]))
  await Promise.all(
    logs.map(async log => {
      for (let n = 0; n < 100; n++) await Promise.all([append(log, n), append(log, n), append(log, n)])
    }),
  )
  for (const seen of await readers) expect(seen).toEqual(upTo(600))
})

test('a window too small for a reader sends it to the storage, and it misses nothing', async () => {
  const log = await createLog(memoryLogStorage(), { eventTypes, windowEvents: 10 })
  for (let n = 1; n <= 95; n++) await append(log, n)
  const slow = tail(log, 300, 3)
  for (let n = 96; n <= 300; n++) await append(log, n)
  expect(await slow).toEqual(upTo(300))
})

test('a wake-up that is lost costs one poll', async () => {
  const shared = memoryLogStorage()
  const deaf: LogStorage = { ...shared, listen: async () => async () => undefined }
  const log = await createLog(deaf, { eventTypes, minPollMs: 1, maxPollMs: 10 })
  const other = await createLog(shared, { eventTypes })
  const reader = tail(log, 20, 100)
  for (let n = 1; n <= 20; n++) await append(other, n)
  expect(await reader).toEqual(upTo(20))
})

test('a reader from another history spoils no read of the others', async () => {
  const shared = memoryLogStorage()
  let answer = (): void => undefined
  const gate = new Promise<void>(resolve => {
    answer = resolve
  })
  const slow: LogStorage = { ...shared, read: (...args) => gate.then(() => shared.read(...args)) }
  const log = await createLog(slow, { eventTypes })
  await append(log, 1)
  const { through } = await log.read(origin)
  const strange = log.read({ position: 7, fingerprint: 'feedfeedfeed' })
  await append(await createLog(shared, { eventTypes }), 2)
  const ours = log.read(through)
  answer()
  await expect(strange).rejects.toMatchObject({ code: 'log/rewound' })
  expect((await ours).events.map(({ position }) => position)).toEqual([2])
})

test('what was noticed while a batch was under way is read, though the batch failed', async () => {
  const shared = memoryLogStorage()
  let fail = (): void => undefined
  const failing: LogStorage = {
    ...shared,
    appendBatch: () => new Promise((_, reject) => (fail = () => reject(new Error('refused')))),
  }
  const log = await createLog(failing, { eventTypes, minPollMs: 2 ** 30, maxPollMs: 2 ** 30 })
  const other = await createLog(shared, { eventTypes })
  expect((await log.read(origin)).atHead).toBe(true)
  const refused = append(log, 1).catch((error: unknown) => error)
  const reader = tail(log, 1, 10)
  await systemRuntime.turn()
  await systemRuntime.turn()
  await append(other, 2)
  fail()
  await refused
  expect(await reader).toEqual([1])
})

test('what others append is read, however long a batch of this process is under way', async () => {
  const shared = memoryLogStorage()
  const hanging: LogStorage = { ...shared, appendBatch: () => new Promise(() => undefined) }
  const log = await createLog(hanging, { eventTypes, minPollMs: 2 ** 30, maxPollMs: 2 ** 30 })
  const other = await createLog(shared, { eventTypes })
  expect((await log.read(origin)).atHead).toBe(true)
  void append(log, 1)
  const reader = tail(log, 1, 10)
  await systemRuntime.turn()
  await append(other, 2)
  expect(await reader).toEqual([1])
})
