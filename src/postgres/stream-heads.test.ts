import { expect, test } from 'vitest'
import type { EncodedAppend, Expected } from '../log/index.ts'
import { makeHeads } from './stream-heads.ts'

const to = (id: string, expected: Expected): EncodedAppend => ({
  stream: { tenant: 'default', category: 'order', id },
  expected,
  command: { name: 'append', id: 'c', hash: '-' },
  events: [],
})
const at = (position: number) => ({ position, fingerprint: '0123456789ab' })

test('a stream is certain at the version that was seen last, and at no other', () => {
  const heads = makeHeads()
  heads.learn([to('a', 'any'), to('b', 'any')], [3, undefined], at(10))
  expect(heads.isCertain(to('a', 3), at(10))).toBe(true)
  for (const expected of [0, 2, 4, 'any'] as const) expect(heads.isCertain(to('a', expected), at(10))).toBe(false)
  expect(heads.isCertain(to('b', 1), at(10))).toBe(false)
  heads.learn([to('a', 3)], [4], at(11))
  expect(heads.isCertain(to('a', 3), at(11))).toBe(false)
  expect(heads.isCertain(to('a', 4), at(11))).toBe(true)
})

test('a stream of which nothing is known is certain to have version 0 or more', () => {
  expect(makeHeads().isCertain(to('a', 0), at(0))).toBe(true)
  expect(makeHeads().isCertain(to('a', 1), at(0))).toBe(false)
})

test('nothing is certain in a history that is not known to be the one it was learnt in', () => {
  const heads = makeHeads()
  heads.learn([to('a', 'any')], [1], at(10))
  expect(heads.isCertain(to('a', 1), at(9))).toBe(false)
})

test('the streams that were seen longest ago are forgotten', () => {
  const heads = makeHeads(2)
  heads.learn([to('a', 'any')], [1], at(1))
  heads.learn([to('b', 'any')], [1], at(2))
  heads.learn([to('a', 'any')], [2], at(3))
  heads.learn([to('c', 'any')], [1], at(4))
  expect(['a', 'b', 'c'].map(id => heads.isCertain(to(id, id === 'a' ? 2 : 1), at(4)))).toEqual([true, false, true])
})
