import { expect, test } from 'vitest'
import { makePace } from './pace.ts'
import { systemRuntime } from './runtime.ts'

/** Whether batches that take `batchMs`, of callers that need `callersMs` to come back, are worth overlapping. */
function isWorthIt(batchMs: number, callersMs: number): boolean {
  let now = 1000
  const pace = makePace({ ...systemRuntime, elapsed: () => now })
  for (let round = 0; round < 100; round++) {
    const startedAt = pace.started()
    now += batchMs
    pace.answered(startedAt)
    now += callersMs
  }
  return pace.isOverlapWorthIt()
}

test('batches are overlapped where the callers take about as long as the database', () => {
  expect(isWorthIt(2, 1)).toBe(true)
  expect(isWorthIt(1, 2)).toBe(true)
})

test('batches are not split where they wait for a slow disk', () => {
  expect(isWorthIt(20, 1)).toBe(false)
})

test('a time without any load does not make a slow disk look quick for long', () => {
  let now = 1000
  const pace = makePace({ ...systemRuntime, elapsed: () => now })
  const round = (callersMs: number): void => {
    const startedAt = pace.started()
    now += 20
    pace.answered(startedAt)
    now += callersMs
  }
  for (let n = 0; n < 100; n++) round(1)
  round(3_600_000)
  for (let n = 0; n < 30; n++) round(1)
  expect(pace.isOverlapWorthIt()).toBe(false)
})
