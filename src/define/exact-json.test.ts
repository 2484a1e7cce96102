import fc from 'fast-check'
import { expect, test } from 'vitest'
import { exactJson } from './exact-json.ts'

test('what is taken comes back as it was', () => {
  const anything = fc.anything({
    withBigInt: true,
    withDate: true,
    withMap: true,
    withSet: true,
    withNullPrototype: true,
    withSparseArray: true,
    withTypedArray: true,
    withUnicodeString: true,
  })
  let taken = 0
  fc.assert(
    fc.property(anything, value => {
      const json = exactJson(value)
      if (json.problem !== undefined) return
      taken++
      expect(JSON.parse(json.text)).toStrictEqual(value)
    }),
    { numRuns: 2000 },
  )
  expect(taken).toBeGreaterThan(100)
})

test('every value of JSON is taken', () => {
  fc.assert(
    fc.property(fc.jsonValue({ noUnicodeString: false }), value => {
      const written = JSON.parse(JSON.stringify(value)) as unknown
      expect(exactJson(written).problem).toBeUndefined()
    }),
  )
})

test.each([
  [undefined, 'it is undefined'],
  [{ note: undefined }, 'at note it is undefined'],
  [{ lines: [{ at: new Date(0) }] }, 'at lines.0.at it is no plain object'],
  [new Map(), 'it is no plain object'],
  [10n, 'it is a bigint'],
  [() => 1, 'it is a function'],
  [[Number.NaN], 'at 0 it is a number that JSON has no form for'],
  [-0, 'it is a number that JSON has no form for'],
  [Object.assign([1], { more: 2 }), 'it is an array with gaps, or with more than its items'],
  [{ [Symbol('s')]: 1 }, 'it is an object with hidden properties'],
])('what is not says where and why (%#)', (value, problem) => {
  expect(exactJson(value)).toEqual({ problem })
})

test('a circle is told as depth', () => {
  const circle: Record<string, unknown> = {}
  circle['self'] = circle
  expect(exactJson(circle).problem).toBe('it is nested more than 512 deep')
})
