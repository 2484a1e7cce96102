import { describe, expect, test } from 'vitest'
import type { AnyProjection, BifoldError } from '../define/index.ts'
import type { Generation } from './generations.ts'
import {
  eventsOf,
  expectedParcels,
  ParcelEvents,
  type Parcels,
  type ParcelsOptions,
  sentBy,
} from './parcels.contract.ts'
import { parcelsUnderTest, quick } from './parcels-under-test.contract.ts'
import { type Projector } from './projector.ts'
import { type ProjectorUnderTest, until } from './projector-under-test.contract.ts'
import type { ProjectionStatus } from './status.ts'
import { rowId } from './store.ts'
import { viewShapeOf } from './view-shape.ts'

/** Twice as long as a generation that has caught up waits for the next look. */
const twoLooksMs = 500

/** What every log and store must let a projector do when another generation of a view comes to serve to which rows refer. */
export function projectorReferredContract(name: string, make: () => Promise<ProjectorUnderTest>): void {
  describe(`rows made with rows of a view that is built anew: ${name}`, () => {
    const its = parcelsUnderTest(make, { ...quick, foldAttempts: 1 })
    const { start, append, named } = its
    const shapeIn = (projected: Parcels, one: AnyProjection) => viewShapeOf(one, Object.values(projected))
    const servingOf = async ({ name: of }: AnyProjection): Promise<Generation | undefined> =>
      (await its.tested.other.generations(of)).find(({ active }) => active)
    const numbersOf = async ({ name: of }: AnyProjection): Promise<readonly number[]> =>
      (await its.tested.other.generations(of)).map(({ generation }) => generation)
    const serves = (one: AnyProjection, generation: number): Promise<true> =>
      until(async () => (await servingOf(one))?.generation === generation)
    const statusOf = async (projector: Projector, one: AnyProjection): Promise<ProjectionStatus | undefined> =>
      (await projector.status()).find(status => status.projection === one.name)
    /** Are the rows of the generation that serves what the log makes of them? */
    async function isRight(projected: Parcels): Promise<boolean> {
      const { position } = await its.log.head()
      const serving = await servingOf(projected.Parcels)
      if (serving?.checkpoints.some(at => at.position < position)) return false
      const view = await its.tested.store.open(shapeIn(projected, projected.Parcels), serving?.generation)
      const rows = await view.snapshot(async ({ pages }) => {
        const found = new Map<string, string>()
        for await (const page of pages) for (const row of page) found.set(rowId(row), row.doc)
        return found
      })
      const expected = expectedParcels(await eventsOf(its.log))
      return rows.size === expected.size && [...expected].every(([id, doc]) => rows.get(id) === doc)
    }
    const refersTo = async (one: AnyProjection, to: AnyProjection): Promise<number | undefined> =>
      (await servingOf(one))?.refersTo.find(({ projection }) => projection === to.name)?.generation

    /** A definition whose first names cannot be folded, until they can. */
    function deaf(options: ParcelsOptions = {}) {
      const heard = { isMended: false }
      const hear = (one: string): void => {
        if (!heard.isMended && one.startsWith('unheard')) throw new RangeError('unheard of')
      }
      return { heard, projected: its.parcels({ ...options, hear }) }
    }

    test('follow the generation that serves, which is made anew for them once, by one of several processes', async () => {
      const { heard, projected } = deaf({ peopleShards: 2, parcelShards: 2 })
      const { People, Parcels } = projected
      await append('parcel', 'p1', sentBy('ada', null, 'north'))
      await Promise.all([start(projected), start(projected, {}, its.tested.other)])
      await named('ada', 'Ada')
      await named('ada', 'unheard')
      await named('ada', 'last')
      await until(async () => (await servingOf(People))?.parked === 1)
      heard.isMended = true
      const { generation } = await its.tested.store.rebuild(shapeIn(projected, People))
      await serves(People, generation)
      await serves(Parcels, 2)
      await until(() => isRight(projected))
      expect(await refersTo(Parcels, People)).toBe(generation)
      await named('ada', 'after all')
      await append('parcel', 'p1', ParcelEvents.ParcelWeighed({ grams: 5 }))
      await until(() => isRight(projected))
      await new Promise(resolve => setTimeout(resolve, twoLooksMs))
      expect(await numbersOf(Parcels)).toEqual([1, 2])
    })

    test('go on where the generation that they were made with stands still, since it has no room for more letters', async () => {
      const { heard, projected } = deaf()
      const { People, Parcels } = projected
      const full = { maxParkedEvents: 2, maxBatchEvents: 1 }
      await start(projected, full)
      await append('parcel', 'p2', sentBy('bo', null, 'north'))
      await named('bo', 'unheard')
      await named('bo', 'more')
      await until(async () => (await servingOf(People))?.parked === 1)
      heard.isMended = true
      await its.tested.store.rebuild(shapeIn(projected, People))
      await serves(People, 2)
      // The first one is full by now, and does not move any more.
      for (const to of ['and', 'more', 'again']) await named('bo', to)
      await append('parcel', 'p2', ParcelEvents.ParcelWeighed({ grams: 7 }))
      await serves(Parcels, 2)
      await until(() => isRight(projected))
    })

    test('come to rest where both are rebuilt at once', async () => {
      const projected = its.parcels()
      const { People, Parcels } = projected
      await start(projected)
      await append('parcel', 'p3', sentBy('cy', null, 'north'))
      await named('cy', 'Cy')
      await until(() => isRight(projected))
      await its.tested.store.rebuild(shapeIn(projected, Parcels))
      await its.tested.other.rebuild(shapeIn(projected, People))
      await serves(People, 2)
      await until(async () => (await refersTo(Parcels, People)) === 2)
      const last = (await servingOf(Parcels))?.generation
      await new Promise(resolve => setTimeout(resolve, twoLooksMs))
      expect((await servingOf(Parcels))?.generation).toBe(last)
      expect(last).toBeLessThanOrEqual(3)
      expect((await numbersOf(Parcels)).at(-1)).toBe(last)
      await until(() => isRight(projected))
    })

    test('let go of generations that nobody needs any more, however often both are built', async () => {
      const projected = its.parcels()
      const { People, Parcels } = projected
      await start(projected, { rebuild: { retireAfterMs: 1 } })
      await append('parcel', 'p4', sentBy('di', null, 'north'))
      for (const generation of [2, 3, 4]) {
        await its.tested.store.rebuild(shapeIn(projected, People))
        await serves(People, generation)
        await serves(Parcels, generation)
      }
      await until(async () => (await numbersOf(People)).length === 2 && (await numbersOf(Parcels)).length === 2)
      expect([await numbersOf(People), await numbersOf(Parcels)]).toEqual([
        [3, 4],
        [3, 4],
      ])
      await until(() => isRight(projected))
    })

    test('are left to hands where swaps are, which is told', async () => {
      const projected = its.parcels()
      const { People, Parcels } = projected
      const warnings: BifoldError[] = []
      const manual = { rebuild: { swap: 'manual' }, onWarning: (one: BifoldError) => warnings.push(one) } as const
      const projector = await start(projected, manual)
      await append('parcel', 'p5', sentBy('ed', null, 'north'))
      await its.tested.store.rebuild(shapeIn(projected, People))
      const swap = (one: AnyProjection, generation: number) =>
        until(async () => (await its.tested.store.activate(one.name, generation)).kind === 'activated')
      await swap(People, 2)
      const code = 'project/refers-to-superseded'
      await until(async () => (await statusOf(projector, Parcels))?.warning?.code === code)
      await until(async () => warnings.length > 0)
      await new Promise(resolve => setTimeout(resolve, twoLooksMs))
      expect(warnings.map(warning => [warning.code, warning.data])).toEqual([
        [code, { projection: Parcels.name, generation: 1, referred: People.name, superseded: 1, serving: 2 }],
      ])
      expect(await numbersOf(Parcels)).toEqual([1])
      await its.tested.store.rebuild(shapeIn(projected, Parcels))
      await until(async () => (await numbersOf(Parcels)).length === 2)
      await swap(Parcels, 2)
      await until(async () => (await statusOf(projector, Parcels))?.warning === undefined)
      expect(await refersTo(Parcels, People)).toBe(2)
    })

    test('of an older release are made with what they were, and nothing is built for it', async () => {
      const old = its.parcels()
      const { People } = old
      const renewed = { ...old, Parcels: { ...old.Parcels, version: 2 } }
      await start(old)
      await append('parcel', 'p6', sentBy('flo', null, 'north'))
      await until(() => isRight(old))
      await start(renewed, {}, its.tested.other)
      await serves(renewed.Parcels, 2)
      await its.tested.store.rebuild(shapeIn(old, People))
      await serves(People, 2)
      // Of the newer release one more is built, and of the older one none.
      await serves(renewed.Parcels, 3)
      await named('flo', 'Flo')
      await until(() => isRight(renewed))
      await new Promise(resolve => setTimeout(resolve, twoLooksMs))
      const all = await its.tested.other.generations(old.Parcels.name)
      expect(all.map(({ version, active }) => [version, active])).toEqual([
        [1, false],
        [2, false],
        [2, true],
      ])
    })
  })
}
