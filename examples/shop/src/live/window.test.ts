import { expect, test } from 'vitest'
import { slidingWindow, spreadOf } from './window.ts'

test('percentiles are values that were measured', () => {
  const hundred = Float64Array.from({ length: 100 }, (_, i) => 100 - i)
  expect(spreadOf(hundred)).toEqual({ samples: 100, p50: 50, p95: 95 })
  expect(spreadOf(Float64Array.of(7))).toEqual({ samples: 1, p50: 7, p95: 7 })
})

test('without measurements there are no percentiles', () => {
  expect(spreadOf(new Float64Array())).toEqual({ samples: 0, p50: null, p95: null })
})

test('a measurement leaves the window when its time is over, or when newer ones need its place', () => {
  let now = 0
  const window = slidingWindow(() => now, { windowMs: 1_000, maxSamples: 3 })
  for (const value of [1, 2, 3, 4]) window.add(value)
  expect(window.spread()).toEqual({ samples: 3, p50: 3, p95: 4 })
  now = 1_001
  window.add(9)
  expect(window.spread()).toEqual({ samples: 1, p50: 9, p95: 9 })
})
