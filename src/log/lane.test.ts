import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { typesOf } from '../define/app.ts'
import { BifoldError, events } from '../define/index.ts'
import { createLog, type LogOptions } from './create-log.ts'
import { type EventLog, origin } from './log.ts'
import { memoryLogStorage } from './memory.ts'
import { type Runtime, systemRuntime } from './runtime.ts'
import type { BatchResult, EncodedAppend, LogStorage } from './storage.ts'

const Orders = events('order', { OrderPlaced: z.object({ n: z.number(), text: z.string().optional() }) })
const append = (log: EventLog, id: string, n = 0, text?: string) =>
  log.append({
    stream: { tenant: 'default', category: 'order', id },
    expected: 'any',
    events: [Orders.OrderPlaced(text === undefined ? { n } : { n, text })],
  })

type Send = (batch: readonly EncodedAppend[]) => Promise<BatchResult>

/** A log on memory whose way to the storage is disturbed. */
async function disturbed(disturb: (batch: readonly EncodedAppend[], send: Send) => Promise<BatchResult>, options = {}) {
  const storage = memoryLogStorage()
  const batches: number[] = []
  const disturbedStorage: LogStorage = {
    ...storage,
    appendBatch: (batch, known) => {
      batches.push(batch.length)
      return disturb(batch, some => storage.appendBatch(some, known))
    },
  }
  const log = await createLog(disturbedStorage, { eventTypes: typesOf([Orders]), ...options } satisfies LogOptions)
  return { log, storage, batches }
}

const lost = () => new BifoldError('log/connection-lost', { problem: 'test' })

describe('group commit', () => {
  test('sends what gathers while a batch is under way as the next one, within its bounds', async () => {
    const { log, batches } = await disturbed((batch, send) => send(batch), { batchEvents: 8 })
    await Promise.all(Array.from({ length: 20 }, (_, n) => append(log, `s${n}`)))
    expect(batches).toEqual([8, 8, 4])
    expect((await log.head()).position).toBe(20)
  })

  test('bounds a batch by its bytes too, and sends what is larger alone', async () => {
    const { log, batches } = await disturbed((batch, send) => send(batch), { batchBytes: 1000 })
    await Promise.all([400, 400, 400, 5000, 100].map((size, n) => append(log, 'a', n, 'x'.repeat(size))))
    expect(batches).toEqual([2, 1, 1, 1])
  })

  test('keeps the order in which appends came', async () => {
    const { log } = await disturbed((batch, send) => send(batch), { batchEvents: 3 })
    await Promise.all(Array.from({ length: 10 }, (_, n) => append(log, 'a', n)))
    const page = await log.readStream({ tenant: 'default', category: 'order', id: 'a' })
    expect(page.map(event => (event.data as { n: number }).n)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
  })

  test('refuses at once what its queue has no room for, and carries out the rest', async () => {
    const { log } = await disturbed((batch, send) => send(batch), { queueEvents: 4 })
    const outcomes = await Promise.allSettled(Array.from({ length: 6 }, (_, n) => append(log, `s${n}`)))
    expect(outcomes.map(o => (o.status === 'fulfilled' ? o.value.kind : o.reason.code))).toEqual([
      ...Array(4).fill('appended'),
      'log/overloaded',
      'log/overloaded',
    ])
    expect((await append(log, 'later')).kind).toBe('appended')
  })

  test('refuses by bytes too', async () => {
    const { log } = await disturbed((batch, send) => send(batch), { queueBytes: 1000 })
    const outcomes = await Promise.allSettled([600, 600].map(size => append(log, 'a', 0, 'x'.repeat(size))))
    expect(outcomes.map(o => o.status)).toEqual(['fulfilled', 'rejected'])
  })
})

describe('two batches under way', () => {
  const still = { ...systemRuntime, elapsed: () => 0 }

  test('share what waits, and both are carried out in order', async () => {
    let underWay = 0
    let most = 0
    const { log, batches } = await disturbed(
      async (batch, send) => {
        most = Math.max(most, ++underWay)
        const result = await send(batch)
        await systemRuntime.turn()
        underWay--
        return result
      },
      { overlapEvents: 4, runtime: still },
    )
    await Promise.all(Array.from({ length: 16 }, (_, n) => append(log, 'a', n)))
    expect(most).toBe(2)
    expect(batches).toEqual([8, 8])
    const page = await log.readStream({ tenant: 'default', category: 'order', id: 'a' })
    expect(page.map(event => (event.data as { n: number }).n)).toEqual(Array.from({ length: 16 }, (_, n) => n))
  })

  test('that are lost together are sent again in their order', async () => {
    let failures = 2
    // The first pauses longer than the second before it goes again.
    const pausesMs = [40, 1]
    const after: Runtime['after'] = (delayMs, run) =>
      systemRuntime.after(delayMs < 100 ? (pausesMs.shift() ?? delayMs) : delayMs, run)
    const { log } = await disturbed(
      async (batch, send) => {
        await systemRuntime.turn()
        if (failures-- > 0) throw lost()
        return send(batch)
      },
      { overlapEvents: 4, runtime: { ...still, after } },
    )
    await Promise.all(Array.from({ length: 16 }, (_, n) => append(log, 'a', n)))
    const page = await log.readStream({ tenant: 'default', category: 'order', id: 'a' })
    expect(page.map(event => (event.data as { n: number }).n)).toEqual(Array.from({ length: 16 }, (_, n) => n))
  })

  test('that are lost for good leave nothing waiting', async () => {
    const { log } = await disturbed(() => Promise.reject(lost()), { overlapEvents: 4, unknownTimeoutMs: 40 })
    const outcomes = await Promise.allSettled(Array.from({ length: 30 }, (_, n) => append(log, 'a', n)))
    for (const outcome of outcomes) {
      expect(outcome.status === 'rejected' && outcome.reason.code).toMatch(/^log\/(outcome-unknown|connection-lost)$/)
    }
    await log.close()
  })
})

describe('a document that the database refuses', () => {
  test('fails alone, wherever it stands in its batch, and the others keep their order', async () => {
    for (const bad of [[0], [7], [3, 4], [0, 1, 2, 3, 4, 5, 6, 7]]) {
      const { log } = await disturbed((batch, send) => {
        const refused = batch.some(({ events: [event] }) => bad.includes(JSON.parse(event?.data ?? '').n))
        return refused ? Promise.reject(new BifoldError('log/document-refused', { problem: 'test' })) : send(batch)
      })
      const outcomes = await Promise.allSettled(Array.from({ length: 8 }, (_, n) => append(log, 'a', n)))
      const failed = outcomes.flatMap((o, n) => (o.status === 'rejected' ? [n] : []))
      expect(failed).toEqual(bad)
      const written = (await log.read(origin)).events.map(event => (event.data as { n: number }).n)
      expect(written).toEqual([0, 1, 2, 3, 4, 5, 6, 7].filter(n => !bad.includes(n)))
    }
  })
})

describe('a connection that is lost', () => {
  test('after the commit: the append is found by its command id, and appended once', async () => {
    let failures = 2
    const { log } = await disturbed(async (batch, send) => {
      const result = await send(batch)
      if (failures-- > 0) throw lost()
      return result
    })
    let reconnects = 0
    log.onReconnect(() => reconnects++)
    const outcomes = await Promise.all([append(log, 'a', 1), append(log, 'b', 2)])
    expect(outcomes).toMatchObject([
      { kind: 'appended', version: 1, events: [{ position: 1 }] },
      { kind: 'appended', version: 1, events: [{ position: 2 }] },
    ])
    expect((await log.head()).position).toBe(2)
    expect(reconnects).toBe(1)
  })

  test('before the commit: the append is sent again', async () => {
    let failures = 2
    const { log } = await disturbed((batch, send) => (failures-- > 0 ? Promise.reject(lost()) : send(batch)))
    expect(await append(log, 'a')).toMatchObject({ kind: 'appended', events: [{ position: 1 }] })
  })

  test('for good: what was sent is of unknown outcome, what waits is known not to be sent', async () => {
    const { log } = await disturbed(() => Promise.reject(lost()), { unknownTimeoutMs: 60, batchEvents: 2 })
    const outcomes = await Promise.allSettled(Array.from({ length: 4 }, (_, n) => append(log, `s${n}`)))
    expect(outcomes.map(o => o.status === 'rejected' && o.reason.code)).toEqual([
      'log/outcome-unknown',
      'log/outcome-unknown',
      'log/connection-lost',
      'log/connection-lost',
    ])
  })

  test('without a word: an append does not wait for ever', async () => {
    const { log } = await disturbed(() => new Promise<never>(() => undefined), { unknownTimeoutMs: 60 })
    await expect(append(log, 'a')).rejects.toMatchObject({ code: 'log/outcome-unknown' })
  })

  test('is told with the id of its command, and with no id where only the log knows it', async () => {
    const { log } = await disturbed(() => Promise.reject(lost()), { unknownTimeoutMs: 60 })
    const request = { stream: { tenant: 'default', category: 'item', id: 'a' }, expected: 0, events: [] }
    const command = { name: 'item/Touch', id: 'c-1', hash: 'h' }
    const known = await log.append({ ...request, command }).catch((error: unknown) => error)
    expect(known).toMatchObject({ code: 'log/outcome-unknown', data: { commandId: 'c-1' } })
    const own = await append(log, 'a').catch((error: BifoldError) => error.data)
    expect(own).not.toHaveProperty('commandId')
  })

  test('keeps the process alive until it is answered', async () => {
    const index = new URL('./index.ts', import.meta.url).href
    const errors = new URL('../define/errors.ts', import.meta.url).href
    const program = `
      import { createLog, memoryLogStorage } from '${index}'
      import { BifoldError } from '${errors}'
      const lost = async () => { throw new BifoldError('log/connection-lost', { problem: 'test' }) }
      const schema = { '~standard': { version: 1, vendor: 'test', validate: value => ({ value }) } }
      const type = { category: 'order', type: 'OrderPlaced', schema, schemaVersion: 1, upcast: {}, tags: () => [] }
      const storage = { ...memoryLogStorage(), appendBatch: lost }
      const log = await createLog(storage, { eventTypes: new Map([['OrderPlaced', type]]), unknownTimeoutMs: 300 })
      const stream = { tenant: 'default', category: 'order', id: 'a' }
      log.append({ stream, expected: 0, events: [{ category: 'order', type: 'OrderPlaced', data: 1 }] })
        .catch(error => console.log(error.code))`
    const node = promisify(execFile)
    const { stdout } = await node(process.execPath, ['--input-type=module', '-e', program])
    expect(stdout.trim()).toBe('log/outcome-unknown')
  })

  test('and another error after it: the outcome is still not known', async () => {
    let first = true
    const { log } = await disturbed(() => {
      const error = first ? lost() : new BifoldError('log/storage-failed', { sqlState: '53100', problem: 'test' })
      first = false
      return Promise.reject(error)
    })
    await expect(append(log, 'a')).rejects.toMatchObject({ code: 'log/outcome-unknown' })
  })
})

describe('a log that was rewound', () => {
  test('refuses everything from then on', async () => {
    const { log } = await disturbed(() => Promise.reject(new BifoldError('log/rewound', { position: 7 })))
    const stop = new AbortController()
    const waiting = log.waitBeyond(0, stop.signal)
    await expect(append(log, 'a')).rejects.toMatchObject({ code: 'log/rewound' })
    await waiting
    const rewound = { code: 'log/rewound', data: { position: 7 } }
    await expect(append(log, 'a')).rejects.toMatchObject(rewound)
    await expect(log.read(origin)).rejects.toMatchObject(rewound)
    await expect(log.head()).rejects.toMatchObject(rewound)
    await expect(log.versionOf({ tenant: 'default', category: 'order', id: 'a' })).rejects.toMatchObject(rewound)
  })

  const lengths = [1, 3, 5]
  test.for(lengths)('is noticed by a process that only reads, with %i events where three were known', async length => {
    const before = memoryLogStorage()
    const after = memoryLogStorage()
    let storage = before
    const moving: LogStorage = {
      ...before,
      appendBatch: (...args) => storage.appendBatch(...args),
      head: () => storage.head(),
      holds: anchors => storage.holds(anchors),
      read: (...args) => storage.read(...args),
    }
    const log = await createLog(moving, { eventTypes: typesOf([Orders]) })
    for (let n = 0; n < 3; n++) await append(log, 'a', n)
    const other = await createLog(after, { eventTypes: typesOf([Orders]) })
    for (let n = 0; n < length; n++) await append(other, 'b')
    storage = after
    await expect(log.head()).rejects.toMatchObject({ code: 'log/rewound', data: { position: 3 } })
    await expect(append(log, 'a')).rejects.toMatchObject({ code: 'log/rewound' })
    expect((await after.head()).position).toBe(length)
  })
})
