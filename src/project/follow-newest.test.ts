import { expect, test } from 'vitest'
import { followNewest } from './follow-newest.ts'

test('what comes while work is slow is passed over, but for the newest', async () => {
  const done: number[] = []
  let go = (): void => undefined
  const follow = followNewest(async (n: number) => {
    await new Promise<void>(resolve => {
      go = resolve
    })
    done.push(n)
  })
  const first = follow(1)
  const others = [2, 3, 4, 5].map(follow)
  go()
  await first
  expect(done).toEqual([1])
  await new Promise(setImmediate)
  go()
  await Promise.all(others)
  expect(done).toEqual([1, 5])
  const last = follow(6)
  go()
  await last
  expect(done).toEqual([1, 5, 6])
})

test('what fails is let go, and the next one is done', async () => {
  const done: number[] = []
  const follow = followNewest(async (n: number) => {
    if (n === 1) throw new Error('no')
    done.push(n)
  })
  await Promise.all([follow(1), follow(2)])
  await follow(3)
  expect(done).toEqual([2, 3])
})

test('what comes at the very moment when one work ends and the next begins, is not done beside it', async () => {
  let underWay = 0
  let most = 0
  const done: number[] = []
  const follow = followNewest(async (n: number) => {
    underWay++
    most = Math.max(most, underWay)
    for (let turns = 0; turns < 3; turns++) await Promise.resolve()
    done.push(n)
    underWay--
  })
  const all = [follow(1), follow(2)]
  for (let n = 3; n < 40; n++) {
    await Promise.resolve()
    all.push(follow(n))
  }
  await Promise.all(all)
  expect(most).toBe(1)
  expect(done.at(-1)).toBe(39)
})
