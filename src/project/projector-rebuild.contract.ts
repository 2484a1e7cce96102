import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { app, events, projection } from '../define/index.ts'
import { defaultTenant, origin } from '../log/index.ts'
import type { RebuildLimits } from './limits.ts'
import type { Projector, ProjectorSettings } from './projector.ts'
import { type ProjectorUnderTest, projectorUnderTest, statusWhere } from './projector-under-test.contract.ts'
import type { BulkLoad, View, ViewCommit, ViewStore } from './store.ts'
import { viewShapeOf } from './view-shape.ts'

const Counts = events('count', { Counted: z.object({ by: z.int() }) })

let names = 0

function totals(version = 1, name = `totals-${++names}`, shards = 1) {
  return projection(name, {
    from: [Counts],
    version,
    shards,
    state: z.object({ total: z.int(), events: z.int(), last: z.string() }),
    on: {
      Counted: (row, e) =>
        e.data.by === 0
          ? null
          : {
              total: (row?.total ?? 0) + e.data.by,
              events: (row?.events ?? 0) + 1,
              last: e.recordedAt,
            },
    },
    indexes: [['total']],
  })
}
type Totals = ReturnType<typeof totals>

/** A view that notes what is committed to it, page by page. */
function watched(view: View): { readonly view: View; readonly commits: readonly ViewCommit[] } {
  const commits: ViewCommit[] = []
  const commit: View['commit'] = change => {
    commits.push(change)
    return view.commit(change)
  }
  return { view: { ...view, commit }, commits }
}

/** A bulk load that waits until it is let through. */
function gate(load: View['bulkLoad']) {
  let open = (): void => undefined
  const opened = new Promise<void>(resolve => {
    open = resolve
  })
  let arrive = (): void => undefined
  const reached = new Promise<void>(resolve => {
    arrive = resolve
  })
  const gated = async (change: BulkLoad) => {
    arrive()
    await opened
    return load(change)
  }
  return Object.assign(gated, { open, reached })
}

/** What every log and store must let a projector do with generations. */
export function projectorRebuildContract(name: string, make: () => Promise<ProjectorUnderTest>): void {
  describe(`generations of a projection: ${name}`, () => {
    const its = projectorUnderTest(make, app('counts', { events: [Counts] }), {
      retry: { minDelayMs: 1, maxDelayMs: 20 },
    })

    const append = (streamId: string, ...amounts: readonly number[]): Promise<number> =>
      its.append('count', streamId, ...amounts.map(by => Counts.Counted({ by })))
    const start = (
      projected: Totals,
      limits: ProjectorSettings = {},
      store: ViewStore = its.tested.store,
    ): Promise<Projector> =>
      its.start({ app: app('counts', { projections: [projected], events: [Counts] }), store, ...limits })

    test('one that is dropped while it is built is carried on no more, and the one that serves goes on', async () => {
      const projected = totals()
      await its.tested.store.open(viewShapeOf(projected))
      const { generation } = await its.tested.store.rebuild(viewShapeOf(projected))
      const projector = await start(projected, { rebuild: { swap: 'manual' } })
      await append('a', 1)
      await statusWhere(projector, ({ generations }) => generations.at(-1)?.position === 1)
      expect(await its.tested.other.drop(projected.name, generation)).toBe('dropped')
      await append('a', 2)
      const { generations } = await statusWhere(projector, ({ generations }) => generations.length === 1)
      expect(generations[0]).toMatchObject({ generation: 1, role: 'serving', state: 'live' })
      await statusWhere(projector, ({ behind, state }) => behind === 0 && state === 'live')
    })

    const bulk = (rebuild: Partial<RebuildLimits> = {}): ProjectorSettings => ({
      minBatchEvents: 20,
      maxBatchEvents: 50,
      turnEvents: 7,
      rebuild: { minEvents: 50, ...rebuild },
    })
    const inPages: ProjectorSettings = { ...bulk({ minEvents: 10_000 }) }
    const caughtUp = (projector: Projector) =>
      statusWhere(projector, ({ behind, state }) => behind === 0 && state === 'live')
    async function rowsOf(projected: Totals) {
      const view = await its.tested.store.open(viewShapeOf(projected))
      const rows = await view.snapshot(async ({ pages }) => {
        const all = []
        for await (const page of pages) all.push(...page)
        return all
      })
      return { rows, checkpoints: (await view.checkpoints()).map(({ position }) => position) }
    }
    /** Enough for a bulk load: many streams, some of whose rows go and come back. */
    async function fill(events = 400): Promise<void> {
      for (let n = 0; n < events; n += 10) {
        const amounts = Array.from({ length: 10 }, (_, at) => ((n + at) % 13 === 0 ? 0 : n + at))
        await append(`s${(n / 10) % 17}`, ...amounts)
      }
    }

    test('rebuilds of a short log, and with their memory used up, keep to their budget page by page, and what serves does not', async () => {
      const position = await append('a', ...Array.from({ length: 100 }, (_, n) => n + 1))
      const serving: Projector[] = []
      // Both before the log is longer: by the budget, what comes later takes nine times as long as either of them.
      for (const rebuild of [{}, { minEvents: 50, memoryBytes: 1 }]) {
        const projected = totals()
        const first = await start(projected)
        await caughtUp(first)
        await first.stop()
        await its.tested.store.rebuild(viewShapeOf(projected))
        const limits = { minBatchEvents: 20, maxBatchEvents: 40, rebuild: { ...rebuild, eventsPerSecond: position } }
        const projector = await start(projected, limits)
        const begunAt = performance.now()
        await statusWhere(projector, ({ generations }) => generations.at(-1)?.role === 'serving')
        expect(performance.now() - begunAt).toBeGreaterThan(900)
        serving.push(projector)
      }
      const servedAt = performance.now()
      await append('a', ...Array.from({ length: 300 }, () => 1))
      await append('a', ...Array.from({ length: 300 }, () => 1))
      await append('a', ...Array.from({ length: 300 }, () => 1))
      await Promise.all(serving.map(caughtUp))
      expect(performance.now() - servedAt).toBeLessThan(7500)
    })

    test('a view that is new on a long log has the rows that it would have page by page, in any number of shards', async () => {
      await fill()
      const written = totals()
      await caughtUp(await start(written, inPages))
      const expected = await rowsOf(written)
      expect(expected.rows.length).toBeGreaterThan(10)
      for (const shards of [1, 3]) {
        const loaded = totals(1, undefined, shards)
        const { view, commits } = watched(await its.tested.store.open(viewShapeOf(loaded)))
        await caughtUp(await start(loaded, bulk(), { ...its.tested.store, open: async () => view }))
        expect((await rowsOf(loaded)).rows).toEqual(expected.rows)
        expect(commits.filter(({ upserts }) => upserts.length > 0)).toEqual([])
        const { value } = await view.list({
          ...{ tenant: defaultTenant, index: ['total'], equal: [], range: {}, order: 'asc', limit: 1000 },
        })
        expect(value.length).toBe(expected.rows.length)
      }
      await append('s3', 5, 6)
      const live = await Promise.all(its.started.map(caughtUp))
      expect(live.every(({ position }) => position === live[0]?.position)).toBe(true)
    })

    test('rows that take more than their memory are written, and folded on', async () => {
      await fill()
      const written = totals()
      await caughtUp(await start(written, inPages))
      const loaded = totals()
      const { view, commits } = watched(await its.tested.store.open(viewShapeOf(loaded)))
      await caughtUp(await start(loaded, bulk({ memoryBytes: 5000 }), { ...its.tested.store, open: async () => view }))
      expect(await rowsOf(loaded)).toEqual(await rowsOf(written))
      expect(commits.length).toBeGreaterThan(1)
    })

    test('one that is told to stop while it loads has written nothing, and begins again', async () => {
      await fill()
      const loaded = totals()
      const view = await its.tested.store.open(viewShapeOf(loaded))
      const slow = await start(loaded, bulk({ eventsPerSecond: 100 }))
      const { generations } = await statusWhere(slow, ({ shards }) => (shards[0]?.catchUp?.position ?? 0) > 0)
      const progress = generations[0]?.progress
      expect(progress?.position).toBeLessThan((await its.log.head()).position)
      expect(progress?.percent).toBeGreaterThan(0)
      expect(progress?.leftMs).toBeGreaterThan(0)
      const [load] = (await its.tested.other.generations(loaded.name))[0]?.loads ?? []
      expect(load).toMatchObject({ shard: 0, goal: (await its.log.head()).position })
      await slow.stop()
      expect(await view.checkpoint(0)).toMatchObject(origin)
      await caughtUp(await start(loaded, bulk()))
      const written = totals()
      await caughtUp(await start(written, inPages))
      expect((await rowsOf(loaded)).rows).toEqual((await rowsOf(written)).rows)
      expect((await its.tested.other.generations(loaded.name))[0]?.loads).toEqual([])
    })

    test('who loses the shard while it loads writes nothing', async () => {
      await fill()
      const loaded = totals()
      const view = await its.tested.store.open(viewShapeOf(loaded))
      const late = { ...view, bulkLoad: gate(view.bulkLoad) }
      const zombie = await start(loaded, bulk(), { ...its.tested.store, open: async () => late })
      await late.bulkLoad.reached
      // Paused, so that it does not take the shard again.
      await its.tested.store.pause(loaded.name)
      const fenced = await view.checkpoint(0)
      late.bulkLoad.open()
      await statusWhere(zombie, ({ state }) => state === 'paused')
      expect(await view.checkpoint(0)).toEqual(fenced)
      expect((await rowsOf(loaded)).rows).toEqual([])
    })

    /** What is parked of a view, and which events wait. */
    async function parkedOf(projected: Totals) {
      const { letters } = await its.tested.store.open(viewShapeOf(projected))
      const keys = await letters.list({ limit: 100 })
      return Promise.all(
        keys.map(async key => [key.key, key.position, key.code, await letters.positions(key, 0, 1000)] as const),
      )
    }

    test('a key that cannot be folded is parked as it is event by event, and an event that passes is tried again', async () => {
      await fill()
      const { position } = await its.log.head()
      const poison = position - 130
      const guarded = (poisoned: () => boolean): Totals => {
        const definition = totals()
        const { Counted } = definition.on
        return {
          ...definition,
          on: {
            Counted: (row, e, key) => {
              if (e.position === poison && poisoned()) throw new Error('poison')
              return Counted?.(row, e, key) ?? null
            },
          },
        }
      }
      const [loaded, written] = [guarded(() => true), guarded(() => true)]
      await caughtUp(await start(loaded, bulk()))
      await caughtUp(await start(written, inPages))
      const parked = await parkedOf(loaded)
      expect(parked).toMatchObject([[expect.any(String), poison, 'project/fold-failed', expect.anything()]])
      expect(parked).toEqual(await parkedOf(written))
      expect((await rowsOf(loaded)).rows).toEqual((await rowsOf(written)).rows)
      let times = 0
      const passing = guarded(() => times++ < 2)
      await caughtUp(await start(passing, bulk()))
      expect(times).toBe(3)
      expect(await parkedOf(passing)).toEqual([])
    })

    test('rows are made once, of the last state', async () => {
      await fill()
      const presented = (name: string) => {
        const calls = { count: 0 }
        const projected = projection(name, {
          from: [Counts],
          state: z.object({ total: z.int() }),
          on: { Counted: (row, e) => ({ total: (row?.total ?? 0) + e.data.by }) },
          row: z.object({ doubled: z.int() }),
          present: ({ total }) => {
            calls.count++
            return { doubled: total * 2 }
          },
        })
        return { projected, calls }
      }
      const [written, loaded] = [presented(`presented-${++names}`), presented(`presented-${++names}`)]
      await caughtUp(await start(written.projected as never, inPages))
      await caughtUp(await start(loaded.projected as never, bulk()))
      const { rows } = await rowsOf(loaded.projected as never)
      expect(rows).toEqual((await rowsOf(written.projected as never)).rows)
      expect(loaded.calls.count).toBe(rows.length)
      expect(written.calls.count).toBeGreaterThan(rows.length)
      // Folding goes on from the states.
      await append('s1', 3)
      await Promise.all(its.started.map(caughtUp))
      expect((await rowsOf(loaded.projected as never)).rows).toEqual((await rowsOf(written.projected as never)).rows)
    })

    test('what rows add up to is what it would be page by page', async () => {
      await fill()
      const summed = () =>
        projection(`summed-${++names}`, {
          from: [Counts],
          shards: 2,
          state: z.object({ total: z.int(), kind: z.string() }),
          on: {
            Counted: (row, e) => ({ total: (row?.total ?? 0) + e.data.by, kind: e.data.by % 2 === 0 ? 'a' : 'b' }),
          },
          rollups: { perKind: { by: row => row.kind, sum: row => ({ total: row.total }) } },
        })
      const sumsOf = async (projected: Totals) => {
        const view = await its.tested.store.open(viewShapeOf(projected))
        return view.snapshot(async ({ sums }) => {
          const all = []
          for await (const page of sums) all.push(...page)
          return all
        })
      }
      const [written, loaded] = [summed() as never, summed() as never]
      await caughtUp(await start(written, inPages))
      await caughtUp(await start(loaded, bulk()))
      const expected = await sumsOf(written)
      expect(expected.length).toBeGreaterThan(4)
      expect(await sumsOf(loaded)).toEqual(expected)
      await append('s1', 3)
      await Promise.all(its.started.map(caughtUp))
      expect(await sumsOf(loaded)).toEqual(await sumsOf(written))
    })

    test('a row that cannot be made is found out where, event by event', async () => {
      await fill()
      const projected = projection(`presented-${++names}`, {
        from: [Counts],
        state: z.object({ at: z.int() }),
        on: { Counted: (_, e) => ({ at: e.position }) },
        row: z.object({ at: z.int() }),
        present: state => {
          if (state.at > 70) throw new Error('no row')
          return state
        },
      })
      await caughtUp(await start(projected as never, bulk()))
      const parked = await parkedOf(projected as never)
      expect(Math.min(...parked.map(([, position]) => position))).toBe(71)
      for (const [, position, code, waiting] of parked) {
        expect(code).toBe('project/present-failed')
        expect(waiting[0]).toBe(position)
      }
    })
  })
}
