import { expect, test } from 'vitest'
import { compareScalars, compareText, timestampProblem } from './order.ts'

test('text is ordered by code point, also beyond the basic plane', () => {
  const texts = ['', 'a', 'A', 'ab', 'é', '\uffee', '\u{1f600}', '\u{10ffff}', '\ue000', 'a\u{1f600}', '~']
  const byBytes = texts.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
  expect(texts.toSorted(compareText)).toEqual(byBytes)
})

test('timestamps are ordered by instant, whatever their offset and precision', () => {
  const inOrder = [
    '0001-01-01T00:00Z',
    '2026-01-01T01:00:00+01:30',
    '2026-01-01T00:00:00Z',
    '2026-01-01T00:00:00.000001Z',
  ]
  expect(inOrder.toReversed().toSorted((a, b) => compareScalars('timestamp', a, b))).toEqual(inOrder)
  expect(compareScalars('timestamp', '2026-01-01T02:00:00.5+02:00', '2026-01-01T00:00:00.500Z')).toBe(0)
})

test('a timestamp that some store cannot hold is refused', () => {
  for (const good of ['2024-02-29T23:59:59.123456Z', '2000-02-29T00:00Z', '2026-11-21T00:00:00-15:59']) {
    expect(timestampProblem(good)).toBeUndefined()
  }
  for (const bad of [
    '2026-02-29T00:00:00Z',
    '1900-02-29T00:00:00Z',
    '2026-04-31T00:00:00Z',
    '2026-01-01T24:00:00Z',
    '2026-01-01T00:00:00',
    '2026-01-01T00:00:00.1234567Z',
    '0000-01-01T00:00:00Z',
    '2026-01-01T00:00:00+16:00',
    'today',
  ]) {
    expect(timestampProblem(bad), bad).toBeDefined()
  }
})
