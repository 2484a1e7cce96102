import { expect, test } from 'vitest'
import { z } from 'zod'
import { type AnyProjection, app, BifoldError, events, projection } from '../define/index.ts'
import { createLog, memoryLogStorage, systemRuntime } from '../log/index.ts'
import { memoryViewStore } from '../stores/memory/index.ts'
import { type ProjectorSettings, startProjector } from './projector.ts'
import { statusWhere } from './projector-under-test.contract.ts'
import type { View, ViewStore } from './store.ts'
import { viewShapeOf } from './view-shape.ts'

test('a shard that was handed over when its store went away asks for it no faster than others do', async () => {
  const Things = events('thing', { Happened: z.object({}) })
  const Seen = projection('seen', { from: [Things], state: z.object({}), on: { Happened: row => row } })
  const reading = app('one', { events: [Things], projections: [Seen] })
  const log = await createLog(memoryLogStorage(), { eventTypes: reading.eventTypes })
  const inner = memoryViewStore()
  let isAway = false
  let asked = 0
  const store: ViewStore = {
    ...inner,
    beat: async beat => {
      const holdings = await inner.beat(beat)
      // Another process has them.
      return isAway ? { ...holdings, leases: holdings.leases.map(lease => ({ ...lease, owner: 'other' })) } : holdings
    },
    paused: async () => {
      if (!isAway) return inner.paused()
      asked++
      await new Promise(setImmediate)
      throw new BifoldError('project/store-unreachable', { projection: '*', problem: 'gone' })
    },
  }
  const projector = await startProjector({
    ...{ app: reading, log, store, leaseMs: 50 },
    reconnect: { minDelayMs: 60_000, maxDelayMs: 60_000 },
  })
  const state = async () => (await projector.status())[0]?.state
  while ((await state()) !== 'live') await new Promise(setImmediate)
  isAway = true
  while (asked === 0) await new Promise(resolve => setTimeout(resolve, 1))
  for (let turns = 0; turns < 100; turns++) await new Promise(setImmediate)
  expect(asked).toBeLessThan(4)
  await projector.stop()
  await log.close()
})

/** A log of so many events, each of another stream, and a store whose views are as `change` makes them. */
async function somewhere(count: number, change: (view: View) => View) {
  const Things = events('thing', { Happened: z.object({}) })
  const Seen = projection('seen', { from: [Things], state: z.object({}), on: { Happened: () => ({}) } })
  const reading = app('one', { events: [Things], projections: [Seen] })
  const log = await createLog(memoryLogStorage(), { eventTypes: reading.eventTypes })
  for (let n = 0; n < count; n++) {
    const stream = { tenant: 'default', category: 'thing', id: `s${n}` }
    await log.append({ stream, expected: 'any', events: [Things.Happened({})] })
  }
  const inner = memoryViewStore()
  const store: ViewStore = { ...inner, open: async (shape, generation) => change(await inner.open(shape, generation)) }
  return { app: reading, log, store }
}

test('what takes so long that its shard is lost each time is written in smaller and smaller batches', async () => {
  let lost = 0
  const { log, ...at } = await somewhere(60, view => ({
    ...view,
    commit: async commit => {
      if (commit.upserts.length <= 3) return view.commit(commit)
      lost++
      await view.claim(0)
      return view.commit(commit)
    },
  }))
  const projector = await startProjector({ ...at, log, leaseMs: 50 })
  while ((await projector.status())[0]?.position !== 60) await new Promise(resolve => setTimeout(resolve, 5))
  expect(lost).toBeLessThan(60)
  await projector.stop()
  await log.close()
})

test.for([
  [1, false],
  [0.5, true],
] as const)(
  'with a share of %d of the time, a bulk load that writes rests between pages: %s',
  async ([share, rests]) => {
    const rows = 1600
    const pages = 4
    let isWriting = false
    let timers = 0
    const { log, ...at } = await somewhere(rows, view => ({
      ...view,
      bulkLoad: async load => {
        isWriting = true
        return view.bulkLoad(load).finally(() => {
          isWriting = false
        })
      },
    }))
    const runtime = {
      ...systemRuntime,
      after: (delayMs: number, run: () => void) => {
        if (isWriting) timers++
        return systemRuntime.after(delayMs, run)
      },
    }
    const projector = await startProjector({ ...at, log, runtime, rebuild: { minEvents: 10, share } })
    while ((await projector.status())[0]?.position !== rows) await new Promise(resolve => setTimeout(resolve, 5))
    expect(timers >= pages).toBe(rests)
    await projector.stop()
    await log.close()
  },
)

test('a bulk load that took so long that its shard was lost is not begun again, but folded page by page', async () => {
  let loads = 0
  const { log, ...at } = await somewhere(60, view => ({
    ...view,
    bulkLoad: async load => {
      loads++
      await view.claim(0)
      return view.bulkLoad(load)
    },
  }))
  const projector = await startProjector({ ...at, log, leaseMs: 50, rebuild: { minEvents: 10 } })
  while ((await projector.status())[0]?.position !== 60) await new Promise(resolve => setTimeout(resolve, 5))
  expect(loads).toBe(1)
  await projector.stop()
  await log.close()
})

test.for([
  ['is told as it is', false, 'project/generation-dropped'],
  ['is told by its cause where the log was restored too', true, 'log/rewound'],
] as const)('that a generation is gone %s', async ([, isRestored, code]) => {
  const gone = new BifoldError('project/generation-dropped', { projection: 'seen', generation: 1 })
  const { log, ...at } = await somewhere(5, view => ({ ...view, commit: () => Promise.reject(gone) }))
  const rewound = new BifoldError('log/rewound', { position: 5 })
  const restored = { ...log, head: () => (isRestored ? Promise.reject(rewound) : log.head()) }
  const projector = await startProjector({ ...at, log: restored })
  const status = async () => (await projector.status())[0]
  while ((await status())?.state !== 'stopped') await new Promise(setImmediate)
  expect((await status())?.failure?.code).toBe(code)
  await projector.stop()
  await log.close()
})

test('a store that lets nobody say that he is alive is told of once, and shown until it does', async () => {
  const { log, store, ...at } = await somewhere(5, view => view)
  let isRefused = true
  let asked = 0
  const warnings: string[] = []
  const projector = await startProjector({
    ...{ ...at, log, leaseMs: 50 },
    onWarning: ({ code }) => warnings.push(code),
    store: {
      ...store,
      beat: async beat => {
        asked++
        if (asked < 3) throw new BifoldError('project/store-unreachable', { projection: '*', problem: 'gone' })
        if (isRefused) throw new BifoldError('project/store-failed', { projection: '*', problem: 'SQLSTATE 42501' })
        return store.beat(beat)
      },
    },
  })
  const statusNow = async () => (await projector.status())[0]
  while (asked < 10) await new Promise(resolve => setTimeout(resolve, 5))
  const refused = await statusNow()
  expect(refused).toMatchObject({ state: 'failed', failure: { code: 'project/store-failed' } })
  expect(refused?.failure?.message).toContain('42501')
  expect(await projector.failureOf('seen')).toBe('project/store-failed')
  expect(warnings).toEqual(['project/store-failed'])
  isRefused = false
  while ((await statusNow())?.state !== 'live') await new Promise(resolve => setTimeout(resolve, 5))
  expect((await statusNow())?.failure).toBeUndefined()
  await projector.stop()
  await log.close()
})

test('however fast hints come, a process says that it is alive in time', async () => {
  let hint = (_: string): void => undefined
  let beats = 0
  const { log, store, ...at } = await somewhere(1, view => view)
  const projector = await startProjector({
    ...{ ...at, log, leaseMs: 300 },
    store: {
      ...store,
      onGenerations: listener => {
        const before = hint
        hint = projection => {
          before(projection)
          listener(projection)
        }
        return store.onGenerations(listener)
      },
      beat: async beat => {
        beats++
        return store.beat(beat)
      },
    },
  })
  while ((await projector.status())[0]?.state !== 'live') await new Promise(resolve => setTimeout(resolve, 5))
  const before = beats
  for (let n = 0; n < 100; n++) {
    hint('another')
    await new Promise(resolve => setTimeout(resolve, 5))
  }
  expect(beats - before).toBeGreaterThan(3)
  await projector.stop()
  await log.close()
})

const slowMs = 10

test.for([
  ['reading, in a bulk load', 'read', 10],
  ['writing, in a bulk load', 'bulkLoad', 10],
  ['reading, page by page', 'read', 100_000],
  ['writing, page by page', 'commit', 100_000],
] as const)('what others do for a load that is bounded is its work: %s', async ([, part, minEvents]) => {
  let slow: typeof part | 'nothing' = 'nothing'
  const passes = async (what: typeof part): Promise<void> => {
    if (slow === what) await new Promise(resolve => setTimeout(resolve, slowMs))
  }
  const { log, ...at } = await somewhere(1000, view => ({
    ...view,
    bulkLoad: ({ rest, ...load }) => {
      const written = async (): Promise<void> => passes('bulkLoad').then(rest)
      return view.bulkLoad({ ...load, rest: written })
    },
    commit: async commit => passes('commit').then(() => view.commit(commit)),
  }))
  const read: typeof log.read = async (...page) => passes('read').then(() => log.read(...page))
  const serving = async (limits: ProjectorSettings, generation: number): Promise<void> => {
    const projector = await startProjector({ ...at, log: { ...log, read }, ...limits })
    await statusWhere(projector, ({ generations }) =>
      generations.some(one => one.generation === generation && one.role === 'serving'),
    )
    await statusWhere(projector, ({ behind }) => behind === 0)
    await projector.stop()
  }
  await serving({}, 1)
  await at.store.rebuild(viewShapeOf(at.app.projections[0] as AnyProjection))
  slow = part
  const begunAt = performance.now()
  await serving({ minBatchEvents: 250, maxBatchEvents: 250, rebuild: { minEvents, share: 0.1 } }, 2)
  // Four pages, each of which takes ten milliseconds at least, and a rest of nine times as long. The last needs none.
  expect(performance.now() - begunAt).toBeGreaterThan(3 * slowMs * 10)
  await log.close()
})
