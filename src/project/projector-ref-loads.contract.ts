import { describe, expect, test } from 'vitest'
import { defaultTenant, origin } from '../log/index.ts'
import { defaultRebuildLimits, type RebuildLimits } from './limits.ts'
import { appendSome, type Parcels, sentBy } from './parcels.contract.ts'
import { deaf, parcelsUnderTest, prompt, seeded } from './parcels-under-test.contract.ts'
import { type ProjectorUnderTest, until } from './projector-under-test.contract.ts'
import { type View, type ViewStore } from './store.ts'

/** What every log and store must let a projector do with rows that are loaded in bulk, made with rows of other views. */
export function projectorRefLoadsContract(name: string, make: () => Promise<ProjectorUnderTest>): void {
  describe(`rows loaded with rows of other views: ${name}`, () => {
    const its = parcelsUnderTest(make)
    const { start, append, named, caughtUp, viewOf, isRight, expectRight } = its

    const rowOf = async (projected: Parcels, key: string) => {
      const { value } = await (await viewOf(projected)).get([{ tenant: defaultTenant, key }])
      return value[0] == null ? null : JSON.parse(value[0])
    }

    const atOnce = (rebuild: Partial<RebuildLimits> = {}) => ({
      ...{ minBatchEvents: 10, maxBatchEvents: 30, turnEvents: 7 },
      rebuild: { ...defaultRebuildLimits, minEvents: 20, ...rebuild },
    })
    /** The store, with how many rows each view got by bulk loads, by the view's name. */
    function watchLoads(change: (view: View) => View = view => view) {
      const loaded = new Map<string, number>()
      const watch = (view: View): View => ({
        ...view,
        bulkLoad: async ({ pages, ...load }) => {
          async function* counted() {
            for await (const page of pages) {
              loaded.set(view.projection, (loaded.get(view.projection) ?? 0) + page.length)
              yield page
            }
          }
          return view.bulkLoad({ ...load, pages: counted() })
        },
      })
      const open: ViewStore['open'] = async (shape, generation) =>
        change(watch(await its.tested.store.open(shape, generation)))
      return { loaded, store: { ...its.tested.store, open } }
    }

    test('a view that is new on a long log is loaded at once, each row with those it refers to as of its end', async () => {
      for (const seed of [1, 2, 3]) {
        const projected = its.parcels({ peopleShards: seed, parcelShards: 4 - seed })
        const random = seeded(seed)
        await appendSome(its.log, 80, random)
        const { loaded, store } = watchLoads()
        const projector = await start(projected, atOnce(), store)
        // The log goes on meanwhile.
        await appendSome(its.log, 20, random)
        await caughtUp(projector)
        expect(loaded.get(projected.Parcels.name)).toBeGreaterThan(0)
        await expectRight(projected)
        await appendSome(its.log, 40, random)
        await caughtUp(projector)
        await expectRight(projected)
        await projector.stop()
      }
    })

    test('rows referred to that are parked while a view is loaded are followed when they go on', async () => {
      const { names, hear } = deaf()
      const projected = its.parcels({ hear, peopleShards: 2, parcelShards: 2 })
      const random = seeded(7)
      await named('muted', 'unsaid')
      await append('parcel', 'waits', sentBy('muted', null, 'north'))
      await appendSome(its.log, 60, random)
      names.add('unsaid')
      const { loaded, store } = watchLoads()
      const projector = await start(projected, { ...prompt, ...atOnce() }, store)
      await caughtUp(projector)
      expect(loaded.get(projected.Parcels.name)).toBeGreaterThan(0)
      expect(await rowOf(projected, 'waits')).toMatchObject({ from: null })
      names.clear()
      await its.retryPeople(projected)
      await until(() => isRight(projected))
      expect(await rowOf(projected, 'waits')).toMatchObject({ from: 'unsaid' })
    })

    test('a view whose rows refer to more than its memory takes is built page by page', async () => {
      const projected = its.parcels()
      await appendSome(its.log, 60, seeded(8))
      // Two people of 400 characters take several times what a parcel does.
      for (let n = 0; n < 40; n++) {
        await named(`wordy-${n}`, `${n} `.repeat(130))
        await named(`wordier-${n}`, `${n} `.repeat(130))
        await append('parcel', `wordy-${n}`, sentBy(`wordy-${n}`, `wordier-${n}`, 'north'))
      }
      const { loaded, store } = watchLoads()
      const projector = await start(projected, atOnce({ memoryBytes: 150_000 }), store)
      await caughtUp(projector)
      expect([...loaded.keys()].toSorted()).toEqual([projected.Depots.name, projected.People.name].toSorted())
      await expectRight(projected)
    })

    test('a view that nobody carries on to where a load ends is waited for no longer than it may', async () => {
      const projected = its.parcels()
      await appendSome(its.log, 40, seeded(9))
      let isLoading = false
      const { loaded, store } = watchLoads(view => {
        const { changes, loading } = view
        if (view.projection === projected.Parcels.name) {
          const begun: View['loading'] = (...progress) => {
            isLoading = true
            return loading(...progress)
          }
          return { ...view, loading: begun }
        }
        if (view.projection !== projected.People.name) return view
        // It had come to the head before the load, and seems to go no further: pages ask for what lies behind them too.
        const stands: View['changes'] = async query => {
          const found = await changes(query)
          return isLoading && query.after === query.through ? { ...found, asOf: origin } : found
        }
        return { ...view, changes: stands }
      })
      const projector = await start(projected, atOnce({ refWaitMs: 20 }), store)
      await caughtUp(projector)
      expect(loaded.has(projected.Parcels.name)).toBe(false)
      expect(loaded.has(projected.People.name)).toBe(true)
      await expectRight(projected)
    })

    test('a row that cannot be made in a load is found out where, event by event', async () => {
      let isBroken = true
      const projected = its.parcels({
        guard: ({ from }) => {
          if (isBroken && from === 'broken') throw new RangeError('a-secret')
        },
      })
      await appendSome(its.log, 40, seeded(10))
      await named('breaks-it', 'broken')
      await append('parcel', 'fragile', sentBy('breaks-it', null, 'north'))
      const { position } = await its.log.head()
      const projector = await start(projected, { ...atOnce(), foldAttempts: 1_000_000 })
      const failures = async () => (await projector.status()).flatMap(({ failure }) => failure ?? [])
      await until(async () => (await failures()).length > 0)
      expect(await failures()).toMatchObject([{ code: 'project/present-failed', event: { position } }])
      isBroken = false
      await caughtUp(projector)
      await expectRight(projected)
    })
  })
}
