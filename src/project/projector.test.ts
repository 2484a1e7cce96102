import { expect, test } from 'vitest'
import { z } from 'zod'
import { app, BifoldError, event, events, projection } from '../define/index.ts'
import { createLog, memoryLogStorage, systemRuntime } from '../log/index.ts'
import { inMemory, memoryViewStore } from '../stores/memory/index.ts'
import { projectorContract } from './projector.contract.ts'
import { startProjector } from './projector.ts'
import { projectorChangesContract } from './projector-changes.contract.ts'
import { projectorGenerationsContract } from './projector-generations.contract.ts'
import { projectorLateContract } from './projector-late.contract.ts'
import { projectorLettersContract } from './projector-letters.contract.ts'
import { projectorOperationsContract } from './projector-operations.contract.ts'
import { projectorRebuildContract } from './projector-rebuild.contract.ts'
import { projectorRefLoadsContract } from './projector-ref-loads.contract.ts'
import { projectorReferredContract } from './projector-referred.contract.ts'
import { projectorRefsContract } from './projector-refs.contract.ts'
import { projectorShardsContract } from './projector-shards.contract.ts'
import { statusWhere } from './projector-under-test.contract.ts'
import { projectorWaitsContract } from './projector-waits.contract.ts'
import { viewShapeOf } from './view-shape.ts'

const make = async () => {
  const { log, views, close } = inMemory()
  return { log, store: views, other: views, close }
}
projectorContract('in memory', make, 20_000)
projectorOperationsContract('in memory', make)
projectorGenerationsContract('in memory', make)
projectorRebuildContract('in memory', make)
projectorShardsContract('in memory', make)
projectorWaitsContract('in memory', make)
projectorLettersContract('in memory', make)
projectorRefsContract('in memory', make, { seeds: 15, dependents: 20_000 })
projectorLateContract('in memory', make, { seeds: 15 })
projectorRefLoadsContract('in memory', make)
projectorChangesContract('in memory', make, { seeds: 15 })
projectorReferredContract('in memory', make)

test('an event that cannot be read stops its projection behind everything that can', async () => {
  const storage = memoryLogStorage()
  const First = events('thing', { Happened: z.object({ n: z.int() }) })
  const Second = events('thing', {
    Happened: event(z.object({ n: z.int() }), {
      schemaVersion: 2,
      upcast: {
        1: (data: { n: number }) => {
          if (data.n === 700) throw new Error('not this one')
          return data
        },
      },
    }),
  })
  const Seen = projection('seen', {
    from: [Second],
    state: z.object({ n: z.int() }),
    on: { Happened: (row, e) => ({ n: Math.max(row?.n ?? 0, e.data.n) }) },
  })
  const writing = await createLog(storage, { eventTypes: app('one', { events: [First] }).eventTypes })
  const stream = { tenant: 'default', category: 'thing', id: 'a' }
  const happened = Array.from({ length: 1000 }, (_, n) => First.Happened({ n: n + 1 }))
  await writing.append({ stream, expected: 'any', events: happened })

  const reading = app('two', { events: [Second], projections: [Seen] })
  const log = await createLog(storage, { eventTypes: reading.eventTypes })
  const store = memoryViewStore()
  const projector = await startProjector({ app: reading, log, store })
  for (;;) {
    const [status] = await projector.status()
    if (status?.state === 'failed') {
      expect(status).toMatchObject({
        position: 699,
        failure: { code: 'log/undecodable-event', event: { position: 700, type: 'Happened' } },
      })
      break
    }
    await new Promise(resolve => setTimeout(resolve, 5))
  }
  const view = await store.open(viewShapeOf(Seen))
  expect((await view.get([{ tenant: 'default', key: 'a' }])).value).toEqual(['{"n":699}'])
  await projector.stop()
  await log.close()
})

test('a shard that stood at the head of an empty log is not waited for when another one begins to load the view', async () => {
  const Steps = events('step', { Stepped: z.object({}) })
  const counted = (version: number) =>
    projection('counted', {
      from: [Steps],
      version,
      shards: 2,
      state: z.object({ count: z.int() }),
      on: { Stepped: row => ({ count: (row?.count ?? 0) + 1 }) },
    })
  const stepping = app('stepping', { events: [Steps], projections: [counted(2)] })
  const log = await createLog(memoryLogStorage(), { eventTypes: stepping.eventTypes })
  const store = memoryViewStore()
  await store.open(viewShapeOf(counted(1)))
  const projector = await startProjector({ app: stepping, log, store, rebuild: { swap: 'manual' } })
  while ((await projector.status())[0]?.generations[1]?.state !== 'live')
    await new Promise(resolve => setTimeout(resolve, 5))
  const view = await store.open(viewShapeOf(counted(2)))
  const { epoch } = await view.checkpoint(0)
  await view.loading(0, epoch, { position: 0, goal: 1, perSecond: 0 })
  expect(await store.activate('counted', 2)).toEqual({ kind: 'loading' })
  const stream = { tenant: 'default', category: 'step', id: 'a' }
  await log.append({ stream, expected: 'any', events: [Steps.Stepped({})] })
  while ((await store.activate('counted', 2)).kind !== 'activated') await new Promise(resolve => setTimeout(resolve, 5))
  await projector.stop()
  await log.close()
})

const Beats = events('beat', { Beaten: z.object({}) })
const beats = (shards: number) =>
  projection('beats', {
    from: [Beats],
    shards,
    state: z.object({ count: z.int() }),
    on: { Beaten: row => ({ count: (row?.count ?? 0) + 1 }) },
  })
/** So many events, and what carries a view of them on. */
async function beaten(count: number, shards: number) {
  const { log: storage, views, close } = inMemory()
  const of = app('beating', { events: [Beats], projections: [beats(shards)] })
  const log = await createLog(storage, { eventTypes: of.eventTypes })
  for (let n = 0; n < count; n++) {
    const stream = { tenant: 'default', category: 'beat', id: `heart-${n % 50}` }
    await log.append({ stream, expected: 'any', events: [Beats.Beaten({})] })
  }
  const end = async (): Promise<void> => {
    await log.close()
    await close()
  }
  return { of, log, store: views, end }
}

test('a start that fails leaves no process behind to which the others would give shards', async () => {
  const { log: storage, views, close } = inMemory()
  const Second = projection('second', { from: [Beats], state: z.object({}), on: { Beaten: () => ({}) } })
  const of = app('beating', { events: [Beats], projections: [beats(4), Second] })
  const log = await createLog(storage, { eventTypes: of.eventTypes })
  let isAway = true
  const open: typeof views.open = (shape, generation) => {
    // The views are opened first, and then each generation that is carried on.
    const isLost = isAway && shape.projection.name === 'second' && generation !== undefined
    if (isLost) throw new BifoldError('project/store-unreachable', { projection: 'second', problem: 'away' })
    return views.open(shape, generation)
  }
  const limits = { leaseMs: 600_000 }
  const failing = startProjector({ app: of, log, store: { ...views, open }, ...limits })
  await expect(failing).rejects.toMatchObject({ code: 'project/store-unreachable' })
  await new Promise(resolve => setTimeout(resolve, 50))
  const { members, leases } = await views.beat({ owner: 'somebody', leaseMs: 1, views: [] })
  expect([members.map(({ owner }) => owner), leases]).toEqual([['somebody'], []])
  isAway = false
  const projector = await startProjector({ app: of, log, store: views, ...limits })
  await statusWhere(projector, ({ state }) => state === 'live')
  await projector.stop()
  await log.close()
  await close()
})

test('a batch that is too much at once for the database is tried with half as many events, and told meanwhile', async () => {
  const { of, log, store, end } = await beaten(600, 1)
  const tried: number[] = []
  const open: typeof store.open = async (shape, generation) => {
    const view = await store.open(shape, generation)
    const commit: typeof view.commit = async change => {
      const events = change.to.position - change.from.position
      tried.push(events)
      if (events <= 100) return view.commit(change)
      throw new BifoldError('project/store-busy', { projection: 'beats', problem: 'SQLSTATE 57014' })
    }
    return { ...view, commit }
  }
  const retry = { minDelayMs: 20, maxDelayMs: 20 }
  const projector = await startProjector({ app: of, log, store: { ...store, open }, retry })
  await statusWhere(projector, ({ failure }) => failure?.code === 'project/store-busy')
  await statusWhere(projector, ({ behind }) => behind === 0)
  await projector.stop()
  await end()
  expect(tried.slice(0, 4)).toEqual([500, 250, 125, 62])
})

test('however many shards give way, they go on one by one', async () => {
  const { of, log, store, end } = await beaten(400, 8)
  let [underWay, most, turns] = [0, 0, 0]
  const turn = async (): Promise<void> => {
    most = Math.max(most, ++underWay)
    turns++
    await systemRuntime.turn()
    underWay--
  }
  const projector = await startProjector({ app: of, log, store, runtime: { ...systemRuntime, turn }, turnEvents: 1 })
  await statusWhere(projector, ({ behind }) => behind === 0)
  await projector.stop()
  await end()
  expect(turns).toBeGreaterThan(300)
  expect(most).toBe(1)
})

test('a load that is bounded reads no more at once than others may have to wait for', async () => {
  const { of, log, store, end } = await beaten(600, 1)
  const asked: number[] = []
  const read: typeof log.read = (from, options) => {
    asked.push(options?.maxEvents ?? Number.POSITIVE_INFINITY)
    return log.read(from, options)
  }
  const rebuild = { minEvents: 1, eventsPerSecond: 100_000 }
  const projector = await startProjector({ app: of, log: { ...log, read }, store, rebuild })
  await statusWhere(projector, ({ behind }) => behind === 0)
  await projector.stop()
  await end()
  expect(asked.slice(0, 3)).toEqual([250, 250, 250])
})
