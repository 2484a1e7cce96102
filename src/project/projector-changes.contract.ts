import { isDeepStrictEqual } from 'node:util'
import { describe, expect, test } from 'vitest'
import { BifoldError } from '../define/index.ts'
import { defaultTenant } from '../log/index.ts'
import type { ParkedKey } from './dead-letters.ts'
import { appendSome, eventsOf, expectedParcels, ParcelEvents, type Parcels, sentBy } from './parcels.contract.ts'
import { parcelsUnderTest, prompt, seeded, unsteady } from './parcels-under-test.contract.ts'
import { type ProjectorUnderTest, until } from './projector-under-test.contract.ts'
import { type View, type ViewStore } from './store.ts'

let tests = 0

/** Names with which no parcel can be shown, until it can; and some of a test's own, since tests share a log. */
function unshowable() {
  const names = new Set<string>()
  const badName = `bad ${++tests}`
  const guard = ({ from }: { readonly from: string | null }): void => {
    if (names.has(from ?? '')) throw new RangeError('a-secret')
  }
  return { names, guard, badName }
}

/** What every log and store must let a projector do with rows that cannot be made with a row that changed. */
export function projectorChangesContract(
  name: string,
  make: () => Promise<ProjectorUnderTest>,
  { seeds }: { readonly seeds: number },
): void {
  describe(`rows that cannot be made with a row that changed: ${name}`, () => {
    const its = parcelsUnderTest(make, prompt)
    const { start, append, named, caughtUp, viewOf, peopleOf, storedIn, expectRight, sorted } = its
    const weighed = (id: string, grams: number) => append('parcel', id, ParcelEvents.ParcelWeighed({ grams }))
    const sent = (id: string, from: string) => append('parcel', id, sentBy(from, null, 'north'))

    const rowOf = async (projected: Parcels, key: string) => {
      const { value, parked } = await (await viewOf(projected)).get([{ tenant: defaultTenant, key }])
      return { ...JSON.parse(value[0] ?? '{}'), parkedAt: parked?.[0]?.position }
    }
    const parkedIn = async (projected: Parcels): Promise<readonly ParkedKey[]> =>
      (await viewOf(projected)).letters.list({ limit: 1000 })
    const waitingOf = async (projected: Parcels, key: string) =>
      (await viewOf(projected)).letters.positions({ tenant: defaultTenant, key }, 0, 100)
    async function retryAll(view: View): Promise<void> {
      await view.letters.request('retry-all')
      await until(async () => (await view.letters.openRequests()) === 0)
    }

    test('such a row stands still as it was before, with its later events; all others go on, and so does it when retried', async () => {
      const { names, guard, badName } = unshowable()
      const projected = its.parcels({ guard })
      const projector = await start(projected)
      await named('una', 'good')
      await sent('stands', 'una')
      await sent('goes-on', 'uma')
      await caughtUp(projector)
      names.add(badName)
      const bad = await named('una', badName)
      const heavier = await weighed('stands', 5)
      await weighed('goes-on', 6)
      await named('uma', 'Uma')
      await named('una', 'better')
      await caughtUp(projector)
      expect(await parkedIn(projected)).toMatchObject([
        { key: 'stands', position: bad, code: 'project/present-failed', events: 2, attempts: 1, refsAt: bad - 1 },
      ])
      expect((await parkedIn(projected))[0]?.message).toContain('PersonNamed')
      expect((await parkedIn(projected))[0]?.message).not.toContain('a-secret')
      expect(await waitingOf(projected, 'stands')).toEqual([bad, heavier])
      // It does not follow what it refers to, although it could again.
      expect(await rowOf(projected, 'stands')).toMatchObject({ from: 'good', grams: 0, parkedAt: bad })
      expect(await rowOf(projected, 'goes-on')).toEqual({ from: 'Uma', to: null, town: null, grams: 6 })
      await retryAll(await viewOf(projected))
      expect(await parkedIn(projected)).toEqual([])
      await expectRight(projected)
    })

    test('it is tried as often as a fold that fails, and says meanwhile at which event', async () => {
      const { names, guard, badName } = unshowable()
      const projected = its.parcels({ guard })
      const retry = { minDelayMs: 300, maxDelayMs: 300 }
      const projector = await start(projected, { foldAttempts: 3, retry })
      await named('ulf', 'good')
      for (const n of [1, 2, 3, 4, 5]) await sent(`tried-${n}`, 'ulf')
      await caughtUp(projector)
      names.add(badName)
      const position = await named('ulf', badName)
      const found = await until(async () => {
        const failures = (await projector.status()).flatMap(({ failure }) => failure ?? [])
        return failures.length > 0 && failures
      })
      const failure = { code: 'project/present-failed', event: { position, type: 'PersonNamed' } }
      expect(found).toMatchObject([failure])
      await until(async () => (await parkedIn(projected)).length === 5)
      expect((await parkedIn(projected)).map(({ attempts }) => attempts)).toEqual([3, 3, 3, 3, 3])
      await caughtUp(projector)
    })

    test('of several events in one batch it stands at the first at which it cannot be made, its own or not', async () => {
      const { names, guard, badName } = unshowable()
      const projected = its.parcels({ guard })
      await (await start(projected)).stop()
      names.add(badName)
      await named('ute', 'first')
      await sent('own-event', 'ute')
      await sent('other-event', 'ute')
      await sent('in-between', 'ute')
      await sent('mended', 'ute')
      await named('ute', 'second')
      const weighing = await weighed('in-between', 5)
      const bad = await named('ute', badName)
      const heavier = await weighed('other-event', 6)
      await append('parcel', 'mended', ParcelEvents.ParcelLost({}))
      const late = await sent('born-bad', 'ute')
      await caughtUp(await start(projected))
      const found = (await parkedIn(projected)).map(({ key, position, refsAt }) => [key, position, refsAt])
      expect(found).toEqual([
        ['born-bad', late, late - 1],
        ['in-between', bad, bad - 1],
        ['other-event', bad, bad - 1],
        ['own-event', bad, bad - 1],
      ])
      expect(await waitingOf(projected, 'other-event')).toEqual([bad, heavier])
      expect(await waitingOf(projected, 'in-between')).toEqual([bad])
      expect(weighing).toBeLessThan(bad)
      expect(await rowOf(projected, 'in-between')).toMatchObject({ from: 'second', grams: 5 })
      expect(await rowOf(projected, 'own-event')).toMatchObject({ from: 'second', grams: 0 })
      names.clear()
      await retryAll(await viewOf(projected))
      await expectRight(projected)
    })

    test('one whose own event fails stands still in what it refers to as well, as of that event', async () => {
      const { names, guard, badName } = unshowable()
      const projected = its.parcels({ guard })
      const projector = await start(projected)
      await named('udo', 'old')
      await sent('both', 'udo')
      await caughtUp(projector)
      await projector.stop()
      // Its own event lets it refer to a bad name, between two changes of what it referred to before.
      names.add(badName)
      await named('ugo', badName)
      await named('udo', 'newer')
      const own = await append('parcel', 'both', sentBy('ugo', null, 'north'))
      await named('udo', 'newest')
      await caughtUp(await start(projected))
      expect(await parkedIn(projected)).toMatchObject([{ key: 'both', position: own, refsAt: own - 1, events: 1 }])
      expect(await rowOf(projected, 'both')).toMatchObject({ from: 'newer' })
      names.clear()
      await retryAll(await viewOf(projected))
      await expectRight(projected)
    })

    test('a retry that does not get to the end leaves it at the next event at which it fails', async () => {
      const { names, guard, badName } = unshowable()
      const projected = its.parcels({ guard })
      const projector = await start(projected)
      await named('ros', 'good')
      await sent('again', 'ros')
      await caughtUp(projector)
      names.add(badName).add(`${badName}, worse`)
      const bad = await named('ros', badName)
      await named('rob', `${badName}, worse`)
      const own = await append('parcel', 'again', sentBy('rob', null, 'north'))
      await weighed('again', 7)
      await caughtUp(projector)
      const view = await viewOf(projected)
      await retryAll(view)
      expect(await parkedIn(projected)).toMatchObject([{ position: bad, attempts: 2, events: 3, refsAt: bad - 1 }])
      expect(await rowOf(projected, 'again')).toMatchObject({ from: 'good' })
      names.delete(badName)
      await retryAll(view)
      const { position: head } = await its.log.head()
      expect(await parkedIn(projected)).toMatchObject([{ position: own, attempts: 3, events: 2, refsAt: head }])
      expect(await rowOf(projected, 'again')).toMatchObject({ from: badName, grams: 0 })
      // Its own event can be left out of it.
      const row = { tenant: defaultTenant, key: 'again' }
      await view.letters.request({ ...row, position: own, action: 'skip', reason: 'sent back' })
      await until(async () => (await view.letters.openRequests()) === 0)
      expect(await parkedIn(projected)).toEqual([])
      expect(await rowOf(projected, 'again')).toMatchObject({ from: badName, grams: 7 })
      await append('parcel', 'again', ParcelEvents.ParcelLost({}))
      await caughtUp(projector)
      await expectRight(projected)
    })

    test('many are parked a part at a time, each with the part that passes it, whoever takes over in between', async () => {
      const { names, guard, badName } = unshowable()
      const projected = its.parcels({ guard, parcelShards: 2 })
      const projector = await start(projected)
      await named('max', 'good')
      const ids = Array.from({ length: 40 }, (_, n) => `many-${n}`)
      for (const id of ids) await sent(id, 'max')
      await caughtUp(projector)
      await projector.stop()
      names.add(badName)
      const bad = await named('max', badName)
      let parts = 0
      const crashing: ViewStore = {
        ...its.tested.store,
        open: async (shape, generation) => {
          const view = await its.tested.store.open(shape, generation)
          const commit: View['commit'] = async change => {
            const outcome = await view.commit(change)
            if (shape.projection.name !== projected.Parcels.name || change.cursor === undefined) return outcome
            expect(change.parking?.parked.length).toBeLessThanOrEqual(3)
            parts++
            throw new BifoldError('project/store-unreachable', { projection: shape.projection.name, problem: 'lost' })
          }
          return { ...view, commit }
        },
      }
      const again = await start(projected, { presentRows: 3, minBatchEvents: 1 }, crashing)
      await caughtUp(again)
      expect(parts).toBeGreaterThan(10)
      const parked = await parkedIn(projected)
      expect(parked.map(({ key, position }) => [key, position])).toEqual(ids.toSorted().map(key => [key, bad]))
      await again.stop()
      names.clear()
      await start(projected)
      await retryAll(await viewOf(projected))
      await expectRight(projected)
    })

    test('with more of them than dead letters may be, the shard stands before the change and drops nothing', async () => {
      const { names, guard, badName } = unshowable()
      const projected = its.parcels({ guard })
      const projector = await start(projected, { maxParkedEvents: 3 })
      await named('fay', 'good')
      const ids = ['full-1', 'full-2', 'full-3', 'full-4']
      for (const id of ids) await sent(id, 'fay')
      await caughtUp(projector)
      names.add(badName)
      const bad = await named('fay', badName)
      const codes = async () => (await projector.status()).flatMap(({ failure }) => failure?.code ?? [])
      await until(async () => (await codes()).includes('project/dead-letters-full'))
      expect((await (await viewOf(projected)).checkpoint(0)).position).toBeLessThan(bad)
      names.clear()
      await until(async () => {
        // What failed before may be parked a moment later.
        const isThere = (await projector.status()).every(({ behind }) => behind === 0)
        await (await viewOf(projected)).letters.request('retry-all')
        return isThere && (await parkedIn(projected)).length === 0
      })
      await expectRight(projected)
    })

    test('a row that was parked itself and goes on late parks what cannot follow it, which waits from there on', async () => {
      const { names, guard, badName } = unshowable()
      const unheard = new Set<string>()
      const hear = (given: string): void => {
        if (unheard.has(given)) throw new RangeError('unheard of')
      }
      const projected = its.parcels({ guard, hear })
      const projector = await start(projected)
      await named('lou', 'good')
      await sent('late', 'lou')
      await sent('late-too', 'leo')
      await caughtUp(projector)
      names.add(badName)
      unheard.add(badName)
      await named('lou', badName)
      await caughtUp(projector)
      expect(await parkedIn(projected)).toEqual([])
      unheard.clear()
      await retryAll(await peopleOf(projected))
      const { position: head } = await its.log.head()
      await until(async () => (await parkedIn(projected)).length === 1)
      expect(await parkedIn(projected)).toMatchObject([{ key: 'late', position: head + 1, events: 1 }])
      expect(await rowOf(projected, 'late')).toMatchObject({ from: 'good', parkedAt: head + 1 })
      const own = await weighed('late', 9)
      await weighed('late-too', 8)
      await caughtUp(projector)
      expect(await waitingOf(projected, 'late')).toEqual([own])
      expect(await rowOf(projected, 'late-too')).toMatchObject({ grams: 8 })
      names.clear()
      await retryAll(await viewOf(projected))
      expect(await rowOf(projected, 'late')).toEqual({ from: badName, to: null, town: null, grams: 9 })
      await expectRight(projected)
    })

    test('whatever cannot be made for a while, in whatever shards, and wherever sessions end: the same bytes', async () => {
      for (let seed = 1; seed <= seeds; seed++) {
        const random = seeded(5000 + seed)
        const { names, guard } = unshowable()
        const projected = its.parcels({ guard, peopleShards: 1 + (seed % 3), parcelShards: 1 + (seed % 2) * 2 })
        const store = unsteady(its.tested.store, random, seed % 4 === 0 ? 0 : 0.02)
        const projector = await start(
          projected,
          {
            minBatchEvents: 1 + Math.floor(random() * 8),
            maxBatchEvents: 10 + Math.floor(random() * 30),
            maxChangedRefs: 1 + Math.floor(random() * 6),
            presentRows: 1 + Math.floor(random() * 5),
            foldAttempts: 1 + (seed % 2),
          },
          store,
        )
        const view = await viewOf(projected)
        for (let round = 0; round < 4; round++) {
          names.clear()
          for (let n = 0; n < 50; n++) if (random() < 0.2) names.add(`name ${n}`)
          await appendSome(its.log, 20, random)
          if (random() < 0.5) await caughtUp(projector)
          if (random() < 0.7) await view.letters.request('retry-all')
        }
        names.clear()
        // What failed before may be parked a moment later.
        await caughtUp(projector)
        await until(async () => {
          if ((await view.letters.openRequests()) === 0) await view.letters.request('retry-all')
          return (await view.letters.list({ limit: 1 })).length === 0
        })
        await caughtUp(projector)
        const isRight = async (): Promise<boolean> =>
          isDeepStrictEqual(sorted((await storedIn(projected)).rows), sorted(expectedParcels(await eventsOf(its.log))))
        await until(isRight)
        await expectRight(projected)
        await projector.stop()
      }
    }, 120_000)
  })
}
