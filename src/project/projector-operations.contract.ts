import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { app, events, type Projection, projection } from '../define/index.ts'
import { defaultTenant } from '../log/index.ts'
import { defaultProjectorLimits, type ProjectorLimits } from './limits.ts'
import type { Projector } from './projector.ts'
import { type ProjectorUnderTest, projectorUnderTest, statusWhere } from './projector-under-test.contract.ts'
import type { ProjectionStatus } from './status.ts'
import type { ViewStore } from './store.ts'
import { viewShapeOf } from './view-shape.ts'

const Ticks = events('tick', { Ticked: z.object({ by: z.int() }) })
const Sum = z.object({ sum: z.int(), count: z.int() })
type Sum = z.output<typeof Sum>

let names = 0
const newSums = (
  name = `sums-${++names}`,
  shards = 2,
  guard: (key: string) => void = () => undefined,
): Projection<Sum> =>
  projection(name, {
    from: [Ticks],
    shards,
    state: Sum,
    on: {
      Ticked: (row, e, key) => {
        guard(key)
        return { sum: (row?.sum ?? 0) + e.data.by, count: (row?.count ?? 0) + 1 }
      },
    },
  })

/**
 * What every log and store must let operators do with a projection while it is carried on.
 *
 * @param isApart are rows in a store without transactions? Then no view is reset.
 */
export function projectorOperationsContract(
  name: string,
  make: () => Promise<ProjectorUnderTest>,
  isApart = false,
): void {
  describe(`operating a projection: ${name}`, () => {
    const its = projectorUnderTest(make, app('ticks', { events: [Ticks] }))
    const sums = new Map<string, Sum>()

    const streams = Array.from({ length: 11 }, (_, n) => `tick-${n}`)
    async function tick(rounds = 1): Promise<number> {
      for (let round = 0; round < rounds; round++) {
        await Promise.all(
          streams.map(async (id, by) => {
            await its.append('tick', id, Ticks.Ticked({ by }))
            const { sum, count } = sums.get(id) ?? { sum: 0, count: 0 }
            sums.set(id, { sum: sum + by, count: count + 1 })
          }),
        )
      }
      return (await its.log.head()).position
    }
    const start = (
      projections: readonly Projection<Sum>[],
      store: ViewStore = its.tested.store,
      limits: Partial<ProjectorLimits> = {},
    ): Promise<Projector> => its.start({ app: app('ticks', { events: [Ticks], projections }), store, ...limits })
    const until = (
      projector: Projector,
      { name: of }: { readonly name: string },
      holds: (status: ProjectionStatus) => boolean,
    ): Promise<ProjectionStatus> => statusWhere(projector, status => status.projection === of && holds(status))
    const rowsOf = async (of: Projection<Sum>): Promise<readonly unknown[]> => {
      const view = await its.tested.store.open(viewShapeOf(of))
      const { value } = await view.get(streams.map(key => ({ tenant: defaultTenant, key })))
      return value.map(doc => JSON.parse(doc ?? 'null') as unknown)
    }
    const expectWhole = async (of: Projection<Sum>): Promise<void> =>
      expect(await rowsOf(of)).toEqual(streams.map(id => sums.get(id)))

    test('once it is paused nothing of it is written, the others go on, and it goes on where it stood', async () => {
      const [paused, other] = [newSums(), newSums()]
      const projector = await start([paused, other])
      const before = await tick(3)
      for (const one of [paused, other]) await until(projector, one, ({ position }) => position === before)
      await its.tested.other.pause(paused.name)
      const rows = await rowsOf(paused)
      const after = await tick(3)
      await until(projector, other, ({ position }) => position === after)
      const status = await until(projector, paused, ({ state }) => state === 'paused')
      expect(status).toMatchObject({ position: before, failure: { code: 'project/paused' } })
      expect(await projector.failureOf(paused.name)).toBe('project/paused')
      expect(await rowsOf(paused)).toEqual(rows)
      await its.tested.other.resume(paused.name)
      await until(projector, paused, ({ position, state }) => position === after && state === 'live')
      await expectWhole(paused)
    })

    test('a process that starts during the pause leaves it alone, and goes on with it when it is over', async () => {
      const of = newSums()
      await its.tested.store.open(viewShapeOf(of))
      await its.tested.store.pause(of.name)
      const projector = await start([of], its.tested.other)
      const head = await tick()
      expect(await until(projector, of, ({ state }) => state === 'paused')).toMatchObject({ position: 0 })
      await its.tested.store.resume(of.name)
      await until(projector, of, ({ position }) => position === head)
      await expectWhole(of)
    })

    test('one that is paused just before a shard is taken is left alone all the same', async () => {
      const of = newSums(undefined, 1)
      const head = await tick()
      let isFirst = true
      const pauseFirst = async (): Promise<void> => {
        if (isFirst) await its.tested.store.pause(of.name)
        isFirst = false
      }
      const projector = await start([of], {
        ...its.tested.store,
        open: async shape => {
          const view = await its.tested.store.open(shape)
          return {
            ...view,
            claim: async shard => pauseFirst().then(() => view.claim(shard)),
            take: async (...lease) => pauseFirst().then(() => view.take(...lease)),
          }
        },
      })
      expect(await until(projector, of, ({ state }) => state !== 'starting')).toMatchObject({ state: 'paused' })
      const view = await its.tested.store.open(viewShapeOf(of))
      expect((await view.checkpoint(0)).position).toBe(0)
      await its.tested.store.resume(of.name)
      await until(projector, of, ({ position }) => position === head)
    })

    test('pauses and resumptions at any moment leave a view that is whole', async () => {
      const of = newSums()
      const projector = await start([of])
      const ticking = tick(20)
      for (let round = 0; round < 8; round++) {
        await its.tested.other.pause(of.name)
        await its.tested.other.resume(of.name)
      }
      const head = await ticking
      await until(projector, of, ({ position }) => position === head)
      await expectWhole(of)
    })

    if (!isApart) {
      test('reset, it is folded again from the beginning, although no event comes', async () => {
        const of = newSums()
        const projector = await start([of])
        const head = await tick(2)
        await until(projector, of, ({ position, state }) => position === head && state === 'live')
        const view = await its.tested.store.open(viewShapeOf(of))
        const epochs = (await view.checkpoints()).map(({ epoch }) => epoch)
        // What somebody broke by hand is gone too.
        const { epoch, ...from } = await view.claim(0)
        const row = { sum: -1, count: -1 }
        const broken = { tenant: defaultTenant, key: 'broken', position: 1, row, doc: JSON.stringify(row) }
        await view.commit({ shard: 0, epoch, from, to: from, upserts: [broken], deletes: [] })
        expect(await its.tested.other.reset(of.name, view.generation)).toBe('reset')
        for (;;) {
          const now = await view.checkpoints()
          if (now.every(at => at.position === head && at.epoch > (epochs[at.shard] ?? 0) + 1)) break
          await new Promise(resolve => setTimeout(resolve, 5))
        }
        await expectWhole(of)
        expect((await view.get([{ tenant: defaultTenant, key: 'broken' }])).value).toEqual([null])
      })
    }

    if (!isApart) {
      test('reset, what was parked is tried again', async () => {
        let isBroken = true
        const of = newSums(undefined, 1, key => {
          if (isBroken && key === 'tick-3') throw new Error('not this one')
        })
        await start([of])
        const view = await its.tested.store.open(viewShapeOf(of))
        const head = await tick(2)
        const stands = async (parked: number): Promise<boolean> => {
          const [at] = await view.checkpoints()
          return at?.position === head && (at.parked ?? 0) === parked
        }
        while (!(await stands(1))) await new Promise(resolve => setTimeout(resolve, 5))
        expect((await rowsOf(of)).filter(row => row === null)).toHaveLength(1)
        isBroken = false
        expect(await its.tested.other.reset(of.name, view.generation)).toBe('reset')
        while (!(await stands(0))) await new Promise(resolve => setTimeout(resolve, 5))
        await expectWhole(of)
      })
    }

    if (isApart) return
    test.each([
      ['a page at a time', {}],
      ['in bulk', { rebuild: { ...defaultProjectorLimits.rebuild, minEvents: 20 } }],
    ])('resets under load leave a view that is whole, which is built %s', async (_, limits) => {
      const of = newSums()
      const view = await its.tested.store.open(viewShapeOf(of))
      const ticking = tick(20)
      await start([of], its.tested.store, limits)
      for (let round = 0; round < 5; round++) {
        await its.tested.other.reset(of.name, view.generation)
        await new Promise(resolve => setTimeout(resolve, 10))
      }
      const head = await ticking
      while (!(await view.checkpoints()).every(({ position }) => position === head)) {
        await new Promise(resolve => setTimeout(resolve, 5))
      }
      await expectWhole(of)
    })
  })
}
