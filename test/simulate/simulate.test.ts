import { describe, expect, test } from 'vitest'
import { drawFaults, noFaults } from './faults.ts'
import { makeMachine } from './machine.ts'
import { reportOf } from './report.ts'
import { makeScheduler } from './scheduler.ts'
import { type Outcome, simulate } from './simulate.ts'

const unheard = (): void => undefined

describe('a simulation', () => {
  test('goes the same way for the same seed, to the last step', async () => {
    const steps: string[] = []
    const first = await simulate(7, (elapsedMs, label) => steps.push(`${elapsedMs} ${label}`))
    const again: string[] = []
    const second = await simulate(7, (elapsedMs, label) => again.push(`${elapsedMs} ${label}`))
    expect(again).toEqual(steps)
    expect(second).toEqual(first)
    expect(first.steps).toBeGreaterThan(100)
  })

  test('goes another way for another seed', async () => {
    const [one, other] = [await simulate(8), await simulate(9)]
    expect(one.trace).not.toBe(other.trace)
  })

  test('takes place: events are appended, questions answered, processes crash', async () => {
    const outcomes: Outcome[] = []
    for (let seed = 1; seed <= 10; seed++) outcomes.push(await simulate(seed))
    const sum = (of: (outcome: Outcome) => number): number =>
      outcomes.reduce((total, outcome) => total + of(outcome), 0)
    expect(sum(({ events }) => events)).toBeGreaterThan(200)
    expect(sum(({ answers }) => answers)).toBeGreaterThan(200)
    expect(sum(({ crashes }) => crashes)).toBeGreaterThan(10)
  })

  test('has most commands in the view that is committed with the appends when they are answered, and not all', async () => {
    const visible = { at: 0, later: 0 }
    for (let seed = 3; seed <= 90; seed += 3) {
      const outcome = await simulate(seed)
      visible.at += outcome.visible.at
      visible.later += outcome.visible.later
    }
    expect(visible.at).toBeGreaterThan(2 * visible.later)
    expect(visible.later).toBeGreaterThan(0)
  })

  test('that finds something says how to see it again', async () => {
    const outcome = { ...(await simulate(1)), wrong: ['a row is missing'] }
    expect(reportOf(outcome)).toContain(`seed 1 (trace ${outcome.trace})`)
    expect(reportOf(outcome)).toContain('npm run simulate -- 1 --steps')
    expect(reportOf(outcome)).toContain('a row is missing')
  })

  test('has faults of all kinds among a few seeds, and seeds that lack each', () => {
    const drawn = Array.from({ length: 40 }, (_, seed) => drawFaults(makeScheduler(seed, unheard).random))
    for (const kind of Object.keys(noFaults) as (keyof typeof noFaults)[]) {
      expect(
        drawn.some(faults => faults[kind] > 0),
        kind,
      ).toBe(true)
      if (!kind.endsWith('Ms'))
        expect(
          drawn.some(faults => faults[kind] === 0),
          kind,
        ).toBe(true)
    }
  })
})

describe('a process that is simulated', () => {
  const machineWith = (faults = noFaults) => {
    const scheduler = makeScheduler(1, unheard)
    const wire = { underWay: 0 }
    const machine = makeMachine({ name: 'p', scheduler, wire, faults: () => faults, onCrash: unheard })
    const runAll = async (): Promise<void> => {
      while (await scheduler.step());
    }
    return { scheduler, machine, runAll }
  }
  const gone = () => new Error('gone')

  test('does nothing any more once it has crashed, whatever it waited for', async () => {
    const { machine, runAll } = machineWith()
    const seen: string[] = []
    let carriedOut = 0
    const effect = async () => ++carriedOut
    void machine.call('port', effect, gone).then(() => seen.push('answered'))
    void machine.runtime.turn().then(() => seen.push('turn'))
    machine.runtime.after(5, () => seen.push('timer'))
    machine.hint('hint', () => seen.push('hint'))
    machine.crash()
    void machine.call('port', effect, gone).then(() => seen.push('called after the crash'))
    await runAll()
    expect(seen).toEqual([])
    // What was sent before may have arrived; what is sent after does not.
    expect(carriedOut).toBeLessThanOrEqual(1)
  })

  test('hears after its pause what came during it, in that order', async () => {
    const { machine, scheduler, runAll } = machineWith()
    const seen: string[] = []
    machine.task(5, 'first', () => seen.push(`first at ${scheduler.elapsed()}`))
    machine.task(6, 'second', () => seen.push(`second at ${scheduler.elapsed()}`))
    machine.pause(50)
    await runAll()
    expect(seen).toEqual(['first at 50', 'second at 50'])
  })

  test('is told that a request failed which was not, was, or will be carried out', async () => {
    for (const [kind, times] of [
      ['lost', 0],
      ['unanswered', 1],
      ['late', 1],
    ] as const) {
      const { machine, runAll } = machineWith({ ...noFaults, slowMs: 100, [kind]: 1 })
      let carriedOut = 0
      const said: unknown[] = []
      machine.call('port', async () => ++carriedOut, gone).catch((error: unknown) => said.push(error))
      await runAll()
      expect(said, kind).toEqual([gone()])
      expect(carriedOut, kind).toBe(times)
    }
  })
})
