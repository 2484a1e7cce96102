import { expect, test } from 'vitest'
import type { RecordedEvent } from '../define/index.ts'
import { makeAside } from './aside.ts'
import type { Letter } from './dead-letters.ts'

const key = (name: string) => ({ tenant: 't', key: name })
const letter = (name: string, position: number): Letter => ({ ...key(name), position })
const event = (position: number) => ({ position, type: 'Happened', id: 'e' }) as RecordedEvent

test('where nothing is known, everything is folded and nothing is set aside', () => {
  const aside = makeAside('p')
  expect(aside.admits(key('a'), 1)).toBe(true)
  expect(aside.take()).toBeUndefined()
  expect(aside.parkedKeys()).toBe(0)
})

test('the events of a parked key wait from the one on at which it stands', () => {
  const aside = makeAside('p', { parked: [letter('a', 5)] })
  expect([4, 5, 9].map(position => aside.admits(key('a'), position))).toEqual([true, false, false])
  expect(aside.admits({ tenant: 'other', key: 'a' }, 9)).toBe(true)
  expect(aside.take()).toEqual({ failures: [], letters: [letter('a', 5), letter('a', 9)] })
  expect(aside.take()).toBeUndefined()
})

test('a skipped event is left out, and does not wait', () => {
  const aside = makeAside('p', { skips: [letter('a', 5)] })
  expect([4, 5, 6].map(position => aside.admits(key('a'), position))).toEqual([true, false, true])
  expect(aside.admits(key('b'), 5)).toBe(true)
  expect(aside.take()).toBeUndefined()
})

test('a key that fails stands still from there on, and no other does', () => {
  const aside = makeAside('p')
  aside.fail(key('a'), event(3), new TypeError('a-secret'))
  expect(aside.admits(key('a'), 4)).toBe(false)
  expect(aside.admits(key('b'), 4)).toBe(true)
  const taken = aside.take()
  expect(taken?.letters).toEqual([letter('a', 3), letter('a', 4)])
  expect(taken?.failures).toMatchObject([
    { ...key('a'), event: { position: 3 }, error: { code: 'project/fold-failed' } },
  ])
  expect(taken?.failures[0]?.error.message).not.toContain('a-secret')
  expect(aside.admits(key('a'), 5)).toBe(false)
  expect(aside.parkedKeys()).toBe(1)
  aside.free(key('a'))
  expect(aside.admits(key('a'), 6)).toBe(true)
})

test('what was set aside of a key is undone, and what was known before is not', () => {
  const aside = makeAside('p', { parked: [letter('old', 1)] })
  aside.fail(key('a'), event(3), new Error())
  aside.admits(key('a'), 4)
  aside.admits(key('old'), 5)
  aside.undo(key('a'))
  expect(aside.admits(key('a'), 3)).toBe(true)
  expect(aside.take()).toEqual({ failures: [], letters: [letter('old', 5)] })
})
