import { expect, test } from 'vitest'
import { makeShardFilters } from './shard-filters.ts'

const make = (...shards: readonly number[]) => {
  const carried = new Set(shards)
  return { carried, filters: makeShardFilters({ count: 4, carried, stretch: 100 }) }
}
const whole = { count: 1, own: [0] }

test('the first stretch is read whole, whoever reads it', () => {
  const { carried, filters } = make(0)
  expect(filters.of(0, 250)).toEqual({ ...whole, upTo: 300 })
  carried.add(1)
  expect(filters.of(1, 210)).toEqual({ ...whole, upTo: 300 })
  expect(filters.of(1, 300)).toMatchObject({ own: [0, 1] })
})

test('a stretch is read alike by all shards that were carried on when the first of them came to it', () => {
  const { carried, filters } = make(0, 2)
  filters.of(0, 0)
  expect(filters.of(0, 100)).toEqual({ count: 4, own: [0, 2], upTo: 200 })
  carried.add(3)
  expect(filters.of(2, 105)).toEqual({ count: 4, own: [0, 2], upTo: 200 })
  expect(filters.of(0, 200)).toEqual({ count: 4, own: [0, 2, 3], upTo: 300 })
})

test('for a shard that came later it is decided anew', () => {
  const { carried, filters } = make(0)
  filters.of(0, 0)
  filters.of(0, 100)
  carried.add(1)
  expect(filters.of(1, 100)).toMatchObject({ own: [0, 1] })
  expect(filters.of(0, 110)).toMatchObject({ own: [0, 1] })
})

test('where all shards are carried on here, nothing is left out', () => {
  const { filters } = make(0, 1, 2, 3)
  filters.of(0, 0)
  expect(filters.of(3, 100)).toEqual({ ...whole, upTo: 200 })
})

test('a shard that is not said to be carried on reads everything', () => {
  const { filters } = make(0)
  filters.of(0, 0)
  expect(filters.of(1, 100)).toEqual({ ...whole, upTo: 200 })
})
