import { expect, test } from 'vitest'
import type { StoredSum } from '../project/index.ts'
import { makeSumDigests, sumBucketOf } from './sum-digests.ts'

const one = { rollup: 'perSize', tenant: 'default', group: 'small', sum: 'money', shard: 2 }

/** 50 groups to which rows add amounts of either sign, beyond what a number holds too. */
const groups = Array.from({ length: 50 }, (_, n) => {
  const id = { ...one, group: `group-${n}`, shard: n % 3 }
  return { id, amounts: Array.from({ length: n + 1 }, (_, at) => BigInt(at - n) * 3n ** BigInt(n)) }
})

function digestsOf(stored: readonly StoredSum[]): ReturnType<typeof makeSumDigests> {
  const digests = makeSumDigests()
  for (const sum of stored) digests.stored(sum)
  return digests
}

const sums = groups.map(({ id, amounts }) => {
  return { ...id, rows: amounts.length, value: amounts.reduce((sum, amount) => sum + amount, 0n) }
})

/** Differing buckets, where these are stored. */
function differing(stored: readonly StoredSum[]): readonly number[] {
  const digests = digestsOf(stored)
  // Rows come in another order than sums.
  for (const { id, amounts } of groups.toReversed()) {
    for (const value of amounts) digests.folded({ ...id, rows: 1, value })
  }
  return digests.differing()
}

test('sums are what was added to them one by one', () => {
  expect(differing(sums)).toEqual([])
})

test('one that is more, or less, or of another number of rows, or missing, or too many, is found', () => {
  const [first, ...others] = sums as [StoredSum, ...StoredSum[]]
  const bucket = sumBucketOf(first)
  expect(differing([{ ...first, value: first.value + 1n }, ...others])).toEqual([bucket])
  expect(differing([{ ...first, value: first.value - 2n ** 70n }, ...others])).toEqual([bucket])
  expect(differing([{ ...first, rows: first.rows + 1 }, ...others])).toEqual([bucket])
  expect(differing(others)).toEqual([bucket])
  for (const id of [{ group: 'other' }, { tenant: 'other' }, { rollup: 'other' }, { sum: '' }, { shard: 7 }]) {
    const added = { ...first, ...id }
    expect(differing([...sums, added])).toEqual([sumBucketOf(added)])
  }
})

test('a sum that nothing adds to is one too many, though it is zero', () => {
  const zero = { ...one, rows: 0, value: 0n }
  expect(differing([...sums, zero])).toEqual([sumBucketOf(zero)])
})

test('what one sum has too much and another one of its bucket too little does not make up for it', () => {
  const ids = Array.from({ length: 300 }, (_, n) => ({ ...one, group: `other-${n}` }))
  const [bucket, [first, second]] = [...Map.groupBy(ids, sumBucketOf)].find(([, own]) => own.length > 1)!
  const [more, less] = [
    { ...first!, rows: 2, value: 8n },
    { ...second!, rows: 1, value: 6n },
  ]
  const digests = digestsOf([more, less])
  digests.folded({ ...more, rows: 1, value: 7n })
  digests.folded({ ...less, rows: 2, value: 7n })
  expect(digests.differing()).toEqual([bucket])
  const moved = digestsOf([more, less])
  for (const sum of [more, less]) moved.folded(sum)
  expect(moved.differing()).toEqual([])
})
