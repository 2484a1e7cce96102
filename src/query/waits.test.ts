import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import { type Runtime, systemRuntime } from '../log/index.ts'
import { createWaits } from './waits.ts'

/** Time that passes when it is told to. */
function handDriven() {
  let nowMs = 0
  let timers: { readonly atMs: number; readonly run: () => void }[] = []
  const runtime: Runtime = {
    ...systemRuntime,
    elapsed: () => nowMs,
    after: (delayMs, run) => {
      const timer = { atMs: nowMs + delayMs, run }
      timers.push(timer)
      return () => {
        timers = timers.filter(candidate => candidate !== timer)
      }
    },
  }
  return {
    runtime,
    timers: () => timers.length,
    pass: async (ms: number) => {
      nowMs += ms
      const due = timers.filter(({ atMs }) => atMs <= nowMs)
      timers = timers.filter(({ atMs }) => atMs > nowMs)
      for (const { run } of due) run()
      await systemRuntime.turn()
    },
  }
}

function start(pollMs = 20) {
  const time = handDriven()
  const view = { position: 0, looks: 0 }
  const look = async () => {
    view.looks++
    return [view.position]
  }
  return { ...time, view, waits: createWaits({ runtime: time.runtime, look, pollMs }) }
}

test('a position that was reached is not waited for', async () => {
  const { waits, view } = start()
  waits.saw(5)
  expect(await waits.until(5, 100)).toBe(true)
  expect(view.looks).toBe(0)
})

test('a thousand waiters are one look at the view', async () => {
  const { waits, view } = start()
  const all = Promise.all(Array.from({ length: 1000 }, (_, n) => waits.until((n % 10) + 1, 100)))
  await systemRuntime.turn()
  expect(view.looks).toBe(1)
  view.position = 10
  waits.moved()
  expect((await all).every(Boolean)).toBe(true)
  expect(view.looks).toBe(2)
})

test('a hint that is lost costs a poll, and not the answer', async () => {
  const { waits, view, pass } = start(20)
  const waiting = waits.until(3, 1000)
  await systemRuntime.turn()
  view.position = 3
  await pass(20)
  expect(await waiting).toBe(true)
})

test('a move while the view is being looked at is looked at again', async () => {
  const { runtime } = handDriven()
  const answers: ((positions: readonly number[]) => void)[] = []
  const waits = createWaits({ runtime, look: () => new Promise(resolve => answers.push(resolve)) })
  const waiting = waits.until(2, 1000)
  waits.moved()
  waits.moved()
  expect(answers).toHaveLength(1)
  answers[0]?.([1])
  await systemRuntime.turn()
  expect(answers).toHaveLength(2)
  answers[1]?.([2])
  expect(await waiting).toBe(true)
})

test('when the time is over the waiter is told, and nothing goes on ticking', async () => {
  const { waits, pass, timers } = start(1000)
  const waiting = waits.until(3, 50)
  await systemRuntime.turn()
  expect(timers()).toBe(2)
  await pass(50)
  expect(await waiting).toBe(false)
  expect(timers()).toBe(0)
})

test('a look that fails is made again', async () => {
  const { runtime, pass } = handDriven()
  let looks = 0
  const look = async () => {
    if (++looks === 1) throw new Error('gone')
    return [3]
  }
  const waits = createWaits({ runtime, look, pollMs: 20 })
  const waiting = waits.until(3, 1000)
  await systemRuntime.turn()
  await pass(20)
  expect(await waiting).toBe(true)
})

test('closing ends every wait', async () => {
  const { waits, timers } = start()
  const waiting = waits.until(3, 1000)
  waits.close()
  await expect(waiting).rejects.toMatchObject({ code: 'query/closed' })
  await expect(waits.until(4, 1000)).rejects.toMatchObject({ code: 'query/closed' })
  await systemRuntime.turn()
  expect(timers()).toBe(0)
})

test('a process does not end while somebody waits, though nothing else is open', async () => {
  const program = `
    import { createWaits } from '${new URL('./waits.ts', import.meta.url).href}'
    import { systemRuntime as runtime } from '${new URL('../log/index.ts', import.meta.url).href}'
    const waits = createWaits({ runtime, look: async () => [0] })
    waits.until(1, 100).then(there => console.log('waited', there))`
  const node = promisify(execFile)
  const { stdout } = await node(process.execPath, ['--input-type=module', '-e', program])
  expect(stdout.trim()).toBe('waited false')
})

test('a wait that may end for a parked key does when a look shows one, and no other wait does', async () => {
  let parked = false
  const { runtime, pass } = handDriven()
  const waits = createWaits({ runtime, look: async () => [0], hasParked: () => parked, pollMs: 20 })
  const [may, mayNot] = [waits.until(5, 1000, [0], true), waits.until(5, 1000)]
  await pass(20)
  parked = true
  await pass(20)
  expect(await may).toBe('parked')
  await pass(1000)
  expect(await mayNot).toBe(false)
})

test('a wait that found another key parked ends again when one of its shards has moved, and not before', async () => {
  const positions = [3, 3]
  const { runtime, pass } = handDriven()
  const look = async () => [...positions]
  const waits = createWaits({ runtime, shards: 2, look, hasParked: () => true, pollMs: 20 })
  expect(await waits.until(5, 1000, [0, 1], true)).toBe('parked')
  let ended: unknown
  void waits.until(5, 1000, [0, 1], waits.marked([0, 1])).then(how => {
    ended = how
  })
  await pass(100)
  expect(ended).toBeUndefined()
  positions[1] = 4
  await pass(20)
  expect(ended).toBe('parked')
})

describe('of a view with several shards', () => {
  function sharded() {
    const at = [0, 0, 0]
    const waits = createWaits({ runtime: handDriven().runtime, shards: 3, look: async () => [...at] })
    return { at, waits }
  }

  test('who waits for one waits for no other', async () => {
    const { at, waits } = sharded()
    let isWhole: unknown = false
    const whole = waits.until(5, 1000).then(there => {
      isWhole = there
    })
    const own = waits.until(5, 1000, [2])
    await systemRuntime.turn()
    at[2] = 5
    waits.moved()
    expect(await own).toBe(true)
    expect([waits.reached([2]), waits.reached([1, 2]), waits.reached(), isWhole]).toEqual([5, 0, 0, false])
    at[0] = 6
    at[1] = 7
    waits.moved()
    await whole
    expect(waits.reached()).toBe(5)
  })

  test('what was read of one tells nothing of the others', async () => {
    const { waits } = sharded()
    waits.saw(5, [1])
    waits.saw(3)
    expect([0, 1, 2].map(shard => waits.reached([shard]))).toEqual([3, 5, 3])
    waits.fellTo(2, [1])
    expect([0, 1, 2].map(shard => waits.reached([shard]))).toEqual([3, 2, 3])
  })
})
