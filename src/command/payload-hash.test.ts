import { expect, test } from 'vitest'
import { payloadHash } from './payload-hash.ts'

test('the order of properties does not count, at any depth', () => {
  const one = payloadHash('s', { a: 1, b: { c: [{ d: 1, e: 2 }], f: null } })
  expect(payloadHash('s', { b: { f: null, c: [{ e: 2, d: 1 }] }, a: 1 })).toBe(one)
})

test('a property that is undefined is as one that is absent', () => {
  expect(payloadHash('s', { a: 1, b: undefined })).toBe(payloadHash('s', { a: 1 }))
})

test('it does not change from release to release', () => {
  expect(payloadHash('o-1', { method: 'card', amount: 5, at: new Date(0) })).toBe('LJhZZWEbe9j72WexyImnA_')
})

test('what differs has another hash', () => {
  const payloads: readonly (readonly [string, unknown])[] = [
    ['s', {}],
    ['t', {}],
    ['s', []],
    ['s', null],
    ['s', 1],
    ['s', 1n],
    ['s', '1'],
    ['s', '1n'],
    ['s', { a: 1 }],
    ['s', { a: '1' }],
    ['s', { a: null }],
    ['s', { b: 1 }],
    ['s', [1, 2]],
    ['s', [2, 1]],
    ['s', [[1], 2]],
    ['s', { 'a":1,"b': 1 }],
    ['s', new Date(0)],
    ['s', new Date(1)],
    ['s', new Map([['a', 1]])],
    ['s', new Set(['a'])],
  ]
  expect(new Set(payloads.map(([stream, input]) => payloadHash(stream, input))).size).toBe(payloads.length)
})
