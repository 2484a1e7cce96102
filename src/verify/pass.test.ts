import { describe, expect, test } from 'vitest'
import { makeHeldRows, rowBytes } from './held-rows.ts'
import { bucketOf, makePass } from './pass.ts'
import { makeScale } from './scale.ts'

const rows = Array.from({ length: 400 }, (_, n) => ({ tenant: 'default', key: `k-${n}`, position: n + 1, doc: '{}' }))
const bytes = rowBytes(rows[0]!)
const buckets = [...new Set(rows.map(bucketOf))].sort((a, b) => a - b)

describe('a pass', () => {
  test('holds no more than fits: the last buckets leave it, with their rows', () => {
    const scale = makeScale('view', 100 * bytes)
    const pass = makePass(buckets, scale)
    const held = makeHeldRows(pass)
    for (const row of rows) held.set(row)
    const left = [...pass.buckets]
    expect(left).toEqual(buckets.slice(0, left.length))
    const own = rows.filter(row => left.includes(bucketOf(row)))
    expect(own.length).toBeGreaterThan(80)
    for (const row of rows) expect(held.get(row)).toBe(own.includes(row) ? row : undefined)
    for (const row of rows) expect(held.isOwn(row)).toBe(own.includes(row))
    expect(scale.peakBytes()).toBeGreaterThan(95 * bytes)
    expect(scale.peakBytes()).toBeLessThanOrEqual(100 * bytes)
    expect(pass.end()).toBe(left.length)
    expect(scale.fits(100 * bytes)).toBe(true)
  })

  test('has as much room again as its rows shrink, or go', () => {
    const scale = makeScale('view', 2 * bytes + 100)
    const [one, other] = rows as [(typeof rows)[number], (typeof rows)[number]]
    const held = makeHeldRows(makePass([bucketOf(one), bucketOf(other)], scale))
    held.set({ ...one, doc: '{"a":"'.padEnd(100, 'a') })
    held.set(one)
    held.set(other)
    held.delete(one)
    held.set({ ...other, doc: '{"a":"'.padEnd(bytes, 'a') })
    expect([held.get(one), held.get(other)?.doc.length]).toEqual([undefined, bytes])
  })

  test('refuses what does not fit into its only bucket', () => {
    const scale = makeScale('view', bytes)
    const held = makeHeldRows(makePass([7], scale), () => 7)
    held.set(rows[0]!)
    const refused = { code: 'verify/too-large', data: { projection: 'view', limitBytes: bytes } }
    expect(() => held.set(rows[1]!)).toThrow(expect.objectContaining(refused))
    expect(() => makeHeldRows(makePass([7], scale.half()), () => 7).set(rows[2]!)).toThrow(
      expect.objectContaining(refused),
    )
  })
})
