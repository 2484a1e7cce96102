import { expect, test } from 'vitest'
import { origin, type Page } from '../log/index.ts'
import { cutPage, pageAfter, type Reach, readThrough } from './cut-page.ts'
import { at } from './things.contract.ts'

const page = (from: number, to: number, atHead = false): Page => ({
  events: Array.from({ length: to - from }, (_, n) => ({ position: from + n + 1 })) as never,
  through: at(to),
  atHead,
})
const changed = (...positions: number[]) =>
  positions.map(position => ({ tenant: 't', key: `k${position}`, ...at(position) }))
const reach = (position: number, changes: ReturnType<typeof changed> = [], pastFrom = 0): Reach => ({
  ...{ asOf: at(position), changed: changes, limit: 3, pastFrom },
})
const positionsOf = ({ events }: Page): number[] => events.map(({ position }) => position)

test('a page is whole where all that it refers to are as far, and not too much changed', () => {
  const whole = page(2, 6, true)
  expect(cutPage(whole, at(2), [reach(9, changed(3, 5))])).toBe(whole)
  expect(cutPage(whole, at(2), [])).toBe(whole)
})

test('it ends where the view that is furthest behind is', () => {
  const cut = cutPage(page(2, 6, true), at(2), [reach(4), reach(5)])
  expect([positionsOf(cut), cut.through, cut.atHead]).toEqual([[3, 4], at(4), false])
})

test('it ends with the last change that is known, where there may be more', () => {
  const cut = cutPage(page(2, 9), at(2), [reach(9, changed(3, 5, 7))])
  expect(cut.through).toEqual(at(7))
})

test('changes of a shard that is ahead say nothing of the others', () => {
  const cut = cutPage(page(2, 9), at(2), [reach(4, changed(3, 5, 7))])
  expect(cut.through).toEqual(at(4))
})

test('nothing is taken before all views have come to where the past of all of them is known', () => {
  const whole = page(2, 6)
  const behind = cutPage(whole, at(2), [reach(9), reach(8, [], 9)])
  expect([positionsOf(behind), behind.through, behind.atHead]).toEqual([[], at(2), false])
  expect(cutPage(whole, at(2), [reach(9), reach(9, [], 9)])).toBe(whole)
  // Who has passed it knows what all rows were.
  expect(positionsOf(cutPage(page(9, 12), at(9), [reach(10), reach(20, [], 9)]))).toEqual([10])
})

test('what is cut off comes next, and is at the head where the whole was', () => {
  const rest = pageAfter(page(2, 6, true), at(4))
  expect([positionsOf(rest), rest.through, rest.atHead]).toEqual([[5, 6], at(6), true])
})

test('several pages make one that ends exactly where it is to end', async () => {
  const read = async ({ position }: { position: number }) => page(position, position + 4)
  const whole = await readThrough(read, origin, at(10))
  expect([positionsOf(whole), whole.through, whole.atHead]).toEqual([[1, 2, 3, 4, 5, 6, 7, 8, 9, 10], at(10), false])
})
