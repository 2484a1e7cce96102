import { expect, test } from 'vitest'
import { makeHeads } from './stream-heads.ts'

const at = (position: number) => ({ position, fingerprint: '0123456789ab' })

test('a stream is certain at the version that was seen last, and at no other', () => {
  const heads = makeHeads()
  heads.learn(['a', 'b'], [3, undefined], at(10))
  expect(heads.isCertain('a', 3, at(10))).toBe(true)
  for (const expected of [0, 2, 4, 'any'] as const) expect(heads.isCertain('a', expected, at(10))).toBe(false)
  expect(heads.isCertain('b', 1, at(10))).toBe(false)
  heads.learn(['a'], [4], at(11))
  expect(heads.isCertain('a', 3, at(11))).toBe(false)
  expect(heads.isCertain('a', 4, at(11))).toBe(true)
})

test('a stream of which nothing is known is certain to have version 0 or more', () => {
  expect(makeHeads().isCertain('a', 0, at(0))).toBe(true)
  expect(makeHeads().isCertain('a', 1, at(0))).toBe(false)
})

test('nothing is certain in a history that is not known to be the one it was learnt in', () => {
  const heads = makeHeads()
  heads.learn(['a'], [1], at(10))
  expect(heads.isCertain('a', 1, at(9))).toBe(false)
})

test('the streams that were seen longest ago are forgotten', () => {
  const heads = makeHeads(2)
  heads.learn(['a'], [1], at(1))
  heads.learn(['b'], [1], at(2))
  heads.learn(['a'], [2], at(3))
  heads.learn(['c'], [1], at(4))
  expect(['a', 'b', 'c'].map(id => heads.isCertain(id, id === 'a' ? 2 : 1, at(4)))).toEqual([true, false, true])
})
