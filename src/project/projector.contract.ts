import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { type AnyProjection, type App, app, BifoldError, events, projection } from '../define/index.ts'
import { defaultTenant } from '../log/index.ts'
import type { ProjectorLimits } from './limits.ts'
import type { Projector } from './projector.ts'
import {
  docsOf,
  type ProjectorUnderTest,
  projectorUnderTest,
  statusWhere,
  until,
} from './projector-under-test.contract.ts'
import type { ProjectionStatus } from './status.ts'
import { rowId, type View, type ViewStore } from './store.ts'
import { viewShapeOf } from './view-shape.ts'

const Counters = events('counter', {
  Added: z.object({ by: z.int(), to: z.array(z.string()) }),
  Dropped: z.object({}),
  Passed: z.object({}),
})

const Row = z.object({ sum: z.int(), last: z.string(), by: z.array(z.int()) })

let names = 0
const newName = (): string => `sums-${++names}`

/** What each stream adds up to. `guard` sees each event before it is folded. */
function sums(guard: (position: number) => void = () => undefined, name = newName(), version = 1) {
  return projection(name, {
    from: [Counters],
    version,
    state: Row,
    on: {
      Added: (row, e) => {
        guard(e.position)
        return { sum: (row?.sum ?? 0) + e.data.by, last: e.recordedAt, by: [...(row?.by ?? []), e.data.by].slice(-5) }
      },
      Dropped: () => null,
    },
  })
}

const onDrops = () =>
  projection(newName(), { from: [Counters], state: z.object({ n: z.int() }), on: { Dropped: () => ({ n: 1 }) } })

/** What every log and store must let a projector do. */
export function projectorContract(name: string, make: () => Promise<ProjectorUnderTest>, manyEvents: number): void {
  describe(`the projector: ${name}`, () => {
    const appOf = (...projections: AnyProjection[]): App => app('counters', { projections, events: [Counters] })

    const its = projectorUnderTest(make, appOf(), {
      retry: { minDelayMs: 1, maxDelayMs: 20 },
      reconnect: { minDelayMs: 1, maxDelayMs: 20 },
    })
    const start = (
      projections: readonly AnyProjection[],
      limits: Partial<ProjectorLimits> = {},
      store = its.tested.store,
    ): Promise<Projector> => its.start({ app: appOf(...projections), store, ...limits })

    const append = (id: string, ...added: ReturnType<(typeof Counters)['Added' | 'Dropped' | 'Passed']>[]) =>
      its.append('counter', id, ...added)
    const add = (id: string, by: number, ...to: string[]) => append(id, Counters.Added({ by, to }))

    const statusOf = (
      projector: Projector,
      projected: AnyProjection,
      is: (status: ProjectionStatus) => boolean,
    ): Promise<ProjectionStatus> => statusWhere(projector, status => status.projection === projected.name && is(status))
    const caughtUp = (projector: Projector, projected: AnyProjection): Promise<ProjectionStatus> =>
      statusOf(projector, projected, ({ behind, state }) => behind === 0 && state === 'live')

    const viewOf = (projected: AnyProjection): Promise<View> => its.tested.store.open(viewShapeOf(projected))
    async function docOf(projected: AnyProjection, key: string): Promise<z.output<typeof Row> | null> {
      const { value } = await (await viewOf(projected)).get([{ tenant: defaultTenant, key }])
      return value[0] == null ? null : JSON.parse(value[0])
    }

    /** The rows of every stream that there ever was, as they are stored. */
    async function rowsOf(projected: AnyProjection): Promise<ReadonlyMap<string, string>> {
      const ids = new Set<string>()
      let at = { position: 0, fingerprint: '' }
      for (;;) {
        const page = await its.log.read(at)
        for (const { streamId } of page.events) ids.add(streamId)
        at = page.through
        if (page.atHead) break
      }
      return docsOf(await (await viewOf(projected)).load([...ids].map(key => ({ tenant: defaultTenant, key }))))
    }

    /** The rows of every stream, by the plainest fold there can be. */
    async function expectedSums(): Promise<Map<string, number>> {
      const expected = new Map<string, number>()
      let at = { position: 0, fingerprint: '' }
      for (;;) {
        const page = await its.log.read(at)
        for (const { type, streamId, data, tenant } of page.events) {
          const id = rowId({ tenant, key: streamId })
          if (type === 'Dropped') expected.delete(id)
          if (type === 'Added') expected.set(id, (expected.get(id) ?? 0) + (data as { by: number }).by)
        }
        at = page.through
        if (page.atHead) return expected
      }
    }
    async function expectRight(projected: AnyProjection): Promise<void> {
      const rows = await rowsOf(projected)
      expect(new Map([...rows].map(([id, doc]) => [id, JSON.parse(doc).sum]))).toEqual(await expectedSums())
    }

    test('events become rows, and rows go', async () => {
      const Sums = sums()
      const projector = await start([Sums])
      await add('a', 1)
      await add('b', 2)
      await add('a', 3)
      const { position } = await caughtUp(projector, Sums)
      expect(position).toBe((await its.log.head()).position)
      expect(await docOf(Sums, 'a')).toMatchObject({ sum: 4, by: [1, 3] })
      expect(await docOf(Sums, 'b')).toMatchObject({ sum: 2 })
      await append('a', Counters.Dropped({}))
      await caughtUp(projector, Sums)
      expect(await docOf(Sums, 'a')).toBeNull()
      await expectRight(Sums)
    })

    test('an event may touch several rows, or none', async () => {
      const Spread = projection(newName(), {
        from: [Counters],
        state: z.object({ sum: z.int() }),
        key: { Added: e => (e.data.to.length === 0 ? null : e.data.to) },
        on: { Added: (row, e) => ({ sum: (row?.sum ?? 0) + e.data.by }) },
      })
      const projector = await start([Spread])
      await add('s', 5, 'x', 'y')
      await add('s', 7)
      await add('s', 9, 'y')
      await caughtUp(projector, Spread)
      expect(await docOf(Spread, 'x')).toEqual({ sum: 5 })
      expect(await docOf(Spread, 'y')).toEqual({ sum: 14 })
      expect(await docOf(Spread, 's')).toBeNull()
    })

    test('the checkpoint moves over events that concern no row', async () => {
      const [Drops, Sums] = [onDrops(), sums()]
      const projector = await start([Drops, Sums])
      for (let n = 0; n < 20; n++) await append('noise', Counters.Passed({}))
      const head = await its.log.head()
      for (const projected of [Drops, Sums]) {
        await caughtUp(projector, projected)
        expect(await (await viewOf(projected)).checkpoint(0)).toMatchObject(head)
      }
    })

    test('rows are the same to the byte, folded live in small batches or from zero in large ones', async () => {
      const name = newName()
      const Live = sums(undefined, name)
      const projector = await start([Live], { minBatchEvents: 2, maxBatchEvents: 7, turnEvents: 3, cacheBytes: 3000 })
      const appended = []
      for (let n = 0; n < 400; n++) {
        const id = `same-${(n * 7) % 23}`
        appended.push(n % 29 === 28 ? append(id, Counters.Dropped({})) : add(id, n))
        if (n % 50 === 0) await appended.at(-1)
      }
      await Promise.all(appended)
      await caughtUp(projector, Live)
      const Rebuilt = sums(undefined, name, 2)
      await statusOf(
        await start([Rebuilt]),
        Rebuilt,
        ({ generation, behind, state }) => generation === 2 && behind === 0 && state === 'live',
      )
      expect((await viewOf(Rebuilt)).generation).toBe(2)
      const rows = await rowsOf(Live)
      expect(rows.size).toBeGreaterThan(20)
      expect(await rowsOf(Rebuilt)).toEqual(rows)
      await expectRight(Live)
    })

    test('a fold that throws is tried again before its key is parked, and holds up no other projection', async () => {
      const healthy = sums()
      let broken = true
      let bad = Number.POSITIVE_INFINITY
      const sick = sums(position => {
        if (broken && position >= bad) throw new TypeError('a-secret')
      })
      const projector = await start([sick, healthy], { foldAttempts: 1_000_000 })
      await add('f', 1)
      await caughtUp(projector, sick)
      bad = (await its.log.head()).position + 3
      await Promise.all([add('f', 1), add('g', 1), add('f', 10), add('g', 10)])
      const failed = await statusOf(projector, sick, ({ failure }) => (failure?.attempts ?? 0) > 2)
      expect(failed).toMatchObject({
        state: 'failed',
        failure: { code: 'project/fold-failed', event: { position: bad, type: 'Added' } },
      })
      expect(failed.position).toBeLessThan(bad)
      expect(failed.failure?.message).not.toContain('a-secret')
      expect(failed.failure?.retryInMs).toBeGreaterThan(0)
      expect(await projector.failureOf(sick.name)).toBe('project/fold-failed')
      await caughtUp(projector, healthy)
      await expectRight(healthy)
      broken = false
      const recovered = await caughtUp(projector, sick)
      expect(recovered.failure).toBeUndefined()
      await expectRight(sick)
    })

    test('of several processes one carries a projection on, and another goes on at once when it stops', async () => {
      const Sums = sums()
      const first = await start([Sums], { leaseMs: 600_000 })
      await caughtUp(first, Sums)
      const second = await start([Sums], { leaseMs: 600_000 }, its.tested.other)
      const standing = await statusOf(second, Sums, ({ state }) => state === 'standby')
      expect(standing.shards).toMatchObject([{ state: 'standby', owner: first.owner }])
      await add('shared', 1)
      const { position } = await caughtUp(first, Sums)
      expect((await statusOf(second, Sums, status => status.position === position)).failure).toBeUndefined()
      await first.stop()
      await add('shared', 2)
      const taken = await caughtUp(second, Sums)
      expect(taken.shards).toMatchObject([{ state: 'live', owner: second.owner }])
      await expectRight(Sums)
    })

    test('a commit whose answer is lost is neither lost nor doubled', async () => {
      const Sums = sums()
      let lost = 0
      const unreachable = (): Error =>
        Object.assign(new Error('gone'), { code: 'project/store-unreachable', data: { projection: Sums.name } })
      const failing: ViewStore = {
        ...its.tested.store,
        open: async shape => {
          const view = await its.tested.store.open(shape)
          const commit: View['commit'] = async change => {
            lost++
            if (lost % 4 === 1) throw unreachable()
            const outcome = await view.commit(change)
            if (lost % 4 === 2) throw unreachable()
            return outcome
          }
          return { ...view, commit }
        },
      }
      const projector = await start([Sums], { minBatchEvents: 20, maxBatchEvents: 20 }, failing)
      const appended = []
      for (let n = 0; n < 200; n++) appended.push(add(`lost-${n % 7}`, n))
      await Promise.all(appended)
      const { failure } = await caughtUp(projector, Sums)
      expect(failure).toBeUndefined()
      expect(lost).toBeGreaterThan(4)
      await expectRight(Sums)
    })

    test('what a store has no time for is tried again, and is no failure of a fold', async () => {
      const Sums = sums()
      const busy = (): Error => new BifoldError('project/store-busy', { projection: Sums.name, problem: '40001' })
      const calls = { commit: 0, load: 0 }
      const failing: ViewStore = {
        ...its.tested.store,
        open: async shape => {
          const view = await its.tested.store.open(shape)
          const commit: View['commit'] = async change => {
            if (calls.commit++ % 3 === 0) throw busy()
            return view.commit(change)
          }
          const load: View['load'] = async keys => {
            if (calls.load++ % 3 === 0) throw busy()
            return view.load(keys)
          }
          return { ...view, commit, load }
        },
      }
      const limits = { minBatchEvents: 5, maxBatchEvents: 5, cacheBytes: 0, foldAttempts: 1 }
      const projector = await start([Sums], limits, failing)
      for (let n = 0; n < 60; n++) await add(`busy-${n % 7}`, n)
      const { failure, parkedKeys } = await caughtUp(projector, Sums)
      expect([failure, parkedKeys]).toEqual([undefined, undefined])
      expect(Math.min(calls.commit, calls.load)).toBeGreaterThan(4)
      await expectRight(Sums)
    })

    test('a zombie changes neither rows nor checkpoint', async () => {
      const Sums = sums()
      let release = (): void => undefined
      const held = new Promise<void>(resolve => {
        release = resolve
      })
      let reached = (): void => undefined
      const holding = new Promise<void>(resolve => {
        reached = resolve
      })
      const outcomes: string[] = []
      let isHeld = false
      const slow: ViewStore = {
        ...its.tested.store,
        beat: async beat => {
          if (isHeld) await held
          return its.tested.store.beat(beat)
        },
        open: async shape => {
          const view = await its.tested.store.open(shape)
          const commit: View['commit'] = async change => {
            if (change.upserts.length > 0) {
              isHeld = true
              reached()
              await held
            }
            const outcome = await view.commit(change)
            outcomes.push(outcome)
            return outcome
          }
          return { ...view, commit }
        },
      }
      await start([Sums], { leaseMs: 200 }, slow)
      await add('z', 1)
      await holding
      const current = await start([Sums], { leaseMs: 5000 }, its.tested.other)
      await add('z', 10)
      await caughtUp(current, Sums)
      const rows = await rowsOf(Sums)
      const checkpoint = await (await viewOf(Sums)).checkpoint(0)
      release()
      await until(async () => (outcomes.includes('fenced') ? true : undefined))
      expect(await rowsOf(Sums)).toEqual(rows)
      expect(await (await viewOf(Sums)).checkpoint(0)).toEqual(checkpoint)
      await expectRight(Sums)
    })

    test('what is under way is finished and committed when it is told to stop', async () => {
      const Sums = sums()
      const projector = await start([Sums], { minBatchEvents: 10, maxBatchEvents: 10 })
      await Promise.all(Array.from({ length: 100 }, (_, n) => add(`stop-${n % 5}`, 1)))
      await projector.stop()
      const [status] = await projector.status()
      expect(status?.state).toBe('stopped')
      expect((await (await viewOf(Sums)).checkpoint(0)).position).toBe(status?.position)
      await caughtUp(await start([Sums]), Sums)
      await expectRight(Sums)
    })

    test('a projection of another history stops, visibly, and applies nothing', async () => {
      const Sums = sums()
      const view = await viewOf(Sums)
      const { epoch } = await view.claim(0)
      const to = { position: 1, fingerprint: '000000000000' }
      await view.commit({ shard: 0, epoch, from: { position: 0, fingerprint: '' }, to, upserts: [], deletes: [] })
      const other = sums()
      const projector = await start([Sums, other])
      const stopped = await statusOf(projector, Sums, ({ state }) => state === 'stopped')
      expect(stopped.failure?.code).toBe('log/rewound')
      expect(await view.checkpoint(0)).toMatchObject(to)
      await caughtUp(projector, other)
    })

    test(`a new projection catches up with ${manyEvents} events by bulk writes, while others go on`, async () => {
      const live = sums()
      const projector = await start([live])
      const perAppend = 500
      for (let n = 0; n < manyEvents / perAppend; n++) {
        const added = Array.from({ length: perAppend }, () => Counters.Added({ by: 1, to: [] }))
        await append(`many-${n % 50}`, ...added)
      }
      let commits = 0
      const counting: ViewStore = {
        ...its.tested.store,
        open: async shape => {
          const view = await its.tested.store.open(shape)
          const commit: View['commit'] = change => {
            commits++
            return view.commit(change)
          }
          return { ...view, commit }
        },
      }
      const late = sums()
      const second = await start([late], {}, counting)
      await add('many-live', 1)
      await caughtUp(projector, live)
      expect(await docOf(live, 'many-live')).toMatchObject({ sum: 1 })
      await caughtUp(second, late)
      expect(commits).toBeLessThan(manyEvents / 500)
      await expectRight(late)
      await expectRight(live)
    }, 120_000)
  })
}
