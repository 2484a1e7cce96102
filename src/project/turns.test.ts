import { expect, test } from 'vitest'
import { systemRuntime } from '../log/index.ts'
import { makeTurns, oneByOne, type TurnPart } from './turns.ts'

/** Does so many pieces, each of which takes its time, in calls of so many. Answers how many were done before each turn. */
async function turnsOf(tookMs: readonly number[], turnEvents: number, perCall = tookMs.length) {
  let clock = 0
  let done = 0
  const before: number[] = []
  const blame: { tookMs: number; part: TurnPart }[] = []
  const turns = makeTurns({
    runtime: {
      elapsed: () => clock,
      turn: async () => {
        before.push(done)
      },
    },
    turnEvents,
    ran: (ranMs, part) => blame.push({ tookMs: ranMs, part }),
  })
  for (let at = 0; at < tookMs.length; at += perCall) {
    await turns.over('present', tookMs.slice(at, at + perCall), (ms, n) => {
      expect(at + n).toBe(done)
      clock += ms
      done++
    })
  }
  expect(done).toBe(tookMs.length)
  return { before, longest: blame.toSorted((a, b) => b.tookMs - a.tookMs)[0] }
}

test('quick work gives way every so many pieces', async () => {
  expect((await turnsOf(Array(1200).fill(0.001), 500)).before).toEqual([500, 1000])
  expect((await turnsOf(Array(6).fill(0), 2)).before).toEqual([2, 4])
  expect((await turnsOf([], 2)).before).toEqual([])
})

test('slow work gives way after each piece', async () => {
  expect((await turnsOf(Array(5).fill(30), 500)).before).toEqual([1, 2, 3, 4])
})

test('work that becomes slow is found out within a few pieces', async () => {
  const { before } = await turnsOf([...Array(200).fill(0.01), ...Array(30).fill(30)], 500)
  expect(before.filter(at => at > 200).length).toBeGreaterThan(10)
})

test('work that is done in many small calls gives way as often', async () => {
  expect((await turnsOf(Array(10).fill(5), 500, 1)).before).toEqual([4, 8])
  expect((await turnsOf(Array(10).fill(0), 3, 2)).before).toEqual([3, 6, 9])
})

test('what ran between two turns is told as a whole, with its part', async () => {
  expect((await turnsOf(Array(40).fill(4), 500)).longest).toEqual({ tookMs: 20, part: 'present' })
  expect((await turnsOf([3000, 1], 500)).longest).toEqual({ tookMs: 3000, part: 'present' })
})

test('what throws is told too', async () => {
  let clock = 0
  const blame: number[] = []
  const runtime = { elapsed: () => clock, turn: async () => undefined }
  const turns = makeTurns({ runtime, turnEvents: 10, ran: ms => blame.push(ms) })
  const failing = turns.over('key', [1], () => {
    clock += 700
    throw new Error('no')
  })
  await expect(failing).rejects.toThrow('no')
  expect(blame).toEqual([700])
})

test('slow work of many gives way after a piece of one of them', async () => {
  const runtime = { elapsed: systemRuntime.elapsed, turn: oneByOne(systemRuntime) }
  const turnEvents = 1
  let done = 0
  let isOver = false
  const perTurn: number[] = []
  const watching = (async () => {
    for (let seen = 0; !isOver; seen = done) {
      await systemRuntime.turn()
      perTurn.push(done - seen)
    }
  })()
  const pieces = [1, 2, 3, 4, 5]
  await Promise.all(
    pieces.map(async () => {
      // What begins has a piece at once.
      await makeTurns({ runtime, turnEvents }).over('on', pieces, () => done++)
    }),
  )
  isOver = true
  await watching
  expect(done).toBe(25)
  expect(perTurn.slice(1).every(count => count <= 1)).toBe(true)
})
