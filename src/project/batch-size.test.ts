import { expect, test } from 'vitest'
import { backoffMs } from './backoff.ts'
import { nextBatchEvents } from './batch-size.ts'

const limits = { minBatchEvents: 500, maxBatchEvents: 10_000, batchBytes: 1_000_000 }

test('batches double while catching up, to a bound, and are small again at the tail', () => {
  const sizes = [500]
  for (let n = 0; n < 7; n++) {
    const last = sizes.at(-1) as number
    sizes.push(nextBatchEvents(last, { events: last, writtenBytes: 10, atHead: false }, limits))
  }
  expect(sizes).toEqual([500, 1000, 2000, 4000, 8000, 10_000, 10_000, 10_000])
  expect(nextBatchEvents(10_000, { events: 300, writtenBytes: 10, atHead: true }, limits)).toBe(500)
})

test('large rows make small batches, of one event at least', () => {
  expect(nextBatchEvents(500, { events: 500, writtenBytes: 5_000_000, atHead: false }, limits)).toBe(100)
  expect(nextBatchEvents(1, { events: 1, writtenBytes: 50_000_000, atHead: false }, limits)).toBe(1)
  expect(nextBatchEvents(500, { events: 0, writtenBytes: 0, atHead: false }, limits)).toBe(1000)
})

test('retries wait twice as long each time, to a bound, spread by chance', () => {
  const backoff = { minDelayMs: 100, maxDelayMs: 1000 }
  expect([1, 2, 3, 4, 5, 99].map(n => backoffMs(n, 1, backoff))).toEqual([100, 200, 400, 800, 1000, 1000])
  expect([1, 2, 99].map(n => backoffMs(n, 0, backoff))).toEqual([50, 100, 500])
})
