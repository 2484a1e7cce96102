import { expect, test } from 'vitest'
import { defaultLoadLimits, makeLoadBudget } from './load-budget.ts'

/** A clock that stands until somebody waits, and then goes to where he wants to be. */
function madeUpClock() {
  let now = 0
  return {
    elapsed: () => now,
    pass: (ms: number) => {
      now += ms
    },
    after: (delayMs: number, run: () => void) => {
      now += Math.max(0, delayMs)
      queueMicrotask(run)
      return () => undefined
    },
  }
}
const running = new AbortController().signal

test('without a bound nobody waits', async () => {
  const clock = madeUpClock()
  const share = makeLoadBudget(defaultLoadLimits, clock).begin()
  await share.rest({ tookMs: 100, events: 5000 }, running)
  expect(clock.elapsed()).toBe(0)
})

test('a quarter of the time is a quarter of it, however many load', async () => {
  const clock = madeUpClock()
  const budget = makeLoadBudget({ ...defaultLoadLimits, share: 0.25 }, clock)
  const shares = [budget.begin(), budget.begin(), budget.begin()]
  let worked = 0
  for (let n = 0; n < 30; n++) {
    clock.pass(10)
    worked += 10
    await shares[n % 3]?.rest({ tookMs: 10, events: 100 }, running)
  }
  expect(worked / clock.elapsed()).toBeCloseTo(0.25)
})

test('whether loads are bounded', () => {
  const isBounded = (limits: Partial<typeof defaultLoadLimits>) =>
    makeLoadBudget({ ...defaultLoadLimits, ...limits }, madeUpClock()).isBounded
  expect([{}, { share: 0.99 }, { eventsPerSecond: 1e6 }].map(isBounded)).toEqual([false, true, true])
})

test('events a second are no more than allowed', async () => {
  const clock = madeUpClock()
  const share = makeLoadBudget({ ...defaultLoadLimits, eventsPerSecond: 2000 }, clock).begin()
  for (let n = 0; n < 10; n++) {
    clock.pass(20)
    await share.rest({ tookMs: 20, events: 1000 }, running)
  }
  expect(clock.elapsed()).toBeCloseTo(5000)
})

test('within a bound little is done at once, and no more than a second allows', () => {
  const mostOf = (limits: Partial<typeof defaultLoadLimits>) =>
    makeLoadBudget({ ...defaultLoadLimits, ...limits }, madeUpClock()).most(2000)
  expect(mostOf({})).toBe(2000)
  expect(mostOf({ share: 0.25 })).toBe(250)
  expect(mostOf({ eventsPerSecond: 5000 })).toBe(250)
  expect(mostOf({ eventsPerSecond: 30.5 })).toBe(30)
  expect(mostOf({ eventsPerSecond: 0.5 })).toBe(1)
})

test('loads that are bounded write one after the other, also when one fails, and of others no more than leave connections', async () => {
  const writing = async (share: number) => {
    const budget = makeLoadBudget({ ...defaultLoadLimits, share }, madeUpClock())
    let [now, most] = [0, 0]
    const write = async (fails: boolean): Promise<void> => {
      most = Math.max(most, ++now)
      await new Promise(setImmediate)
      now--
      if (fails) throw new Error('lost')
    }
    const fails = [false, true, false, false, false, true, false]
    const done = await Promise.allSettled(fails.map(one => budget.inTurn(() => write(one))))
    expect(done.map(({ status }) => status === 'rejected')).toEqual(fails)
    return most
  }
  expect(await writing(0.5)).toBe(1)
  expect(await writing(1)).toBe(4)
})

test('who is stopped waits no longer', async () => {
  const stopping = new AbortController()
  const never = { elapsed: () => 0, after: () => () => undefined }
  const share = makeLoadBudget({ ...defaultLoadLimits, share: 0.01 }, never).begin()
  const resting = share.rest({ tookMs: 10, events: 1 }, stopping.signal)
  stopping.abort()
  await resting
  await share.rest({ tookMs: 10, events: 1 }, stopping.signal)
})

test('memory is shared by all that load at the time', () => {
  const budget = makeLoadBudget({ ...defaultLoadLimits, memoryBytes: 100 }, madeUpClock())
  const [one, two] = [budget.begin(), budget.begin()]
  expect(one.holds(60)).toBe(true)
  expect(two.holds(40)).toBe(true)
  expect(two.holds(41)).toBe(false)
  one.end()
  expect(two.holds(100)).toBe(true)
})
