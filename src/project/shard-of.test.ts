import { describe, expect, test } from 'vitest'
import { shardOf } from './shard-of.ts'

describe('the shard of a key', () => {
  // Computed by another implementation, in Python, from the definition in the doc comment.
  test.each([
    ['default', 'a', [1, 2, 4, 7, 7]],
    ['default', 'b', [0, 1, 3, 6, 38]],
    ['default', 'o-1', [0, 1, 3, 6, 22]],
    ['default', 'order-2026-11-21', [1, 2, 2, 7, 7]],
    ['acme', 'o-1', [0, 2, 1, 14, 14]],
    ['default', 'ünï çødé', [0, 2, 1, 10, 26]],
    ['default', '日本語', [0, 0, 4, 4, 36]],
    ['bücher', 'straße', [1, 2, 1, 9, 57]],
    ['default', '\u{1f600}\u200d\u{10ffff}', [1, 1, 3, 9, 25]],
    ['default', 'x'.repeat(512), [1, 0, 3, 3, 51]],
  ])('%s %s is what it always was', (tenant, key, expected) => {
    expect([2, 3, 7, 16, 64].map(shards => shardOf({ tenant, key }, shards))).toEqual(expected)
  })

  test('is 0 where there is one', () => {
    expect(shardOf({ tenant: 'default', key: 'a' }, 1)).toBe(0)
  })

  test('is as often one as another, for keys that differ in little', () => {
    for (const shards of [2, 3, 8, 64]) {
      const counts = Array.from({ length: shards }, () => 0)
      for (let n = 0; n < 64_000; n++) (counts[shardOf({ tenant: 'default', key: `${n}` }, shards)] as number)++
      const fair = 64_000 / shards
      for (const count of counts) expect(Math.abs(count - fair)).toBeLessThan(fair / 5)
    }
  })
})
