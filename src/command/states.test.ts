import { expect, test } from 'vitest'
import { origin } from '../log/index.ts'
import { createStates } from './states.ts'

const folded = (version: number) => ({ state: {}, version, head: origin })

test('the state that was not used for the longest time leaves first', () => {
  const states = createStates(2)
  states.keep('a', folded(1), 0)
  states.keep('b', folded(1), 0)
  states.get('a')
  states.keep('c', folded(1), 0)
  expect(states.get('b')).toBeUndefined()
  expect(states.get('a')).toBeDefined()
  expect(states.get('c')).toBeDefined()
})

test('none are held where none may be', () => {
  const states = createStates(0)
  states.keep('a', folded(1), 0)
  expect(states.get('a')).toBeUndefined()
})

test('a state that was read before everything was forgotten is not kept', () => {
  const states = createStates(2)
  const epoch = states.epoch()
  states.clear()
  states.keep('a', folded(1), epoch)
  expect(states.get('a')).toBeUndefined()
})

test('what is kept unfolded is folded once, when it is needed', () => {
  const states = createStates(2)
  let folds = 0
  states.keep(
    'a',
    () => {
      folds++
      return folded(2)
    },
    states.epoch(),
  )
  expect(folds).toBe(0)
  expect(states.get('a')?.version).toBe(2)
  expect(states.get('a')?.version).toBe(2)
  expect(folds).toBe(1)
})

test('what cannot be folded is not held any more', () => {
  const states = createStates(2)
  const failing = () => {
    throw new Error('no')
  }
  states.keep('a', failing, states.epoch())
  expect(() => states.get('a')).toThrow('no')
  expect(states.get('a')).toBeUndefined()
})
