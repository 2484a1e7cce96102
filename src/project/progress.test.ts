import { expect, test } from 'vitest'
import { progressOf } from './progress.ts'

test('a generation is as far as its lowest shard, and done when its last one is', () => {
  const shards = [
    { position: 400, perSecond: 100 },
    { position: 250, perSecond: 250 },
  ]
  expect(progressOf(shards, 1000)).toEqual({ position: 250, perSecond: 100, percent: 25, leftMs: 6000 })
})

test('where nothing was measured yet, no time is told', () => {
  expect(progressOf([{ position: 0, perSecond: 0 }], 1000)).toEqual({ position: 0, perSecond: 0, percent: 0 })
})

test('what does not come on has no progress, and what is through has all of it', () => {
  expect(progressOf([], 1000)).toBeUndefined()
  expect(progressOf([{ position: 1000, perSecond: 50 }], 1000)).toMatchObject({ percent: 100, leftMs: 0 })
  expect(progressOf([{ position: 1001, perSecond: 50 }], 1000)).toMatchObject({ percent: 100, leftMs: 0 })
})
