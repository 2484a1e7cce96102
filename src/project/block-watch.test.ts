import { beforeEach, expect, test } from 'vitest'
import { type BlockWatch, watchBlocks } from './block-watch.ts'

const shard = { projection: 'orders', generation: 2, shard: 3 }
let clock = 0
let watch: BlockWatch

beforeEach(() => {
  clock = 0
  watch = watchBlocks({ elapsed: () => clock }, 1000)
  watch.look()
  watch.renewed()
  watch.expect(200)
})

test('a fold that kept the process from renewing its leases is told by name', () => {
  clock += 50
  clock += 1700
  watch.ran(shard, 1700, 'present')
  watch.ran({ ...shard, shard: 1 }, 3, 'on')
  const found = watch.look()
  expect(found?.by).toBe('orders/2/3')
  expect(found?.warning.data).toEqual({
    blockedMs: 1700,
    leaseMs: 1000,
    projection: 'orders',
    shard: 3,
    part: 'present',
  })
  expect(found?.warning.message).toContain('`present` of the projection "orders" (shard 3) did not yield for 1700 ms')
})

test('where the process was stopped, no fold is blamed', () => {
  watch.ran(shard, 40, 'on')
  clock += 5000
  const found = watch.look()
  expect(found?.by).toBeUndefined()
  expect(found?.warning.data).toEqual({ blockedMs: 4800, leaseMs: 1000 })
})

test('one that came in time is not told, nor is a store that did not answer for long', () => {
  watch.ran(shard, 900, 'key')
  clock += 950
  expect(watch.look()).toBeUndefined()
  watch.renewed()
  for (let n = 0; n < 10; n++) {
    watch.expect(200)
    clock += 200
    expect(watch.look()).toBeUndefined()
  }
})

test('what was told once is not told again', () => {
  watch.ran(shard, 3000, 'key')
  clock += 3000
  expect(watch.look()).toBeDefined()
  watch.renewed()
  watch.expect(200)
  clock += 200
  expect(watch.look()).toBeUndefined()
})

test('a hint that hurries a look which is overdue does not hide that it is', () => {
  clock += 1700
  watch.ran(shard, 1700, 'on')
  watch.expect(20)
  clock += 20
  expect(watch.look()?.by).toBe('orders/2/3')
})

test('a fold that blocks while the store is being asked is told, too', () => {
  clock += 200
  expect(watch.look()).toBeUndefined()
  clock += 1700
  watch.ran(shard, 1700, 'on')
  watch.renewed()
  watch.expect(200)
  clock += 200
  expect(watch.look()?.by).toBe('orders/2/3')
})
