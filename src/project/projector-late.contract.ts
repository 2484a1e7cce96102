import { describe, expect, test } from 'vitest'
import { defaultTenant } from '../log/index.ts'
import { appendSome, ParcelEvents, type Parcels, post, sentBy } from './parcels.contract.ts'
import { deaf, parcelsUnderTest, prompt, quick, seeded, unsteady } from './parcels-under-test.contract.ts'
import { startProjector } from './projector.ts'
import { type ProjectorUnderTest, until } from './projector-under-test.contract.ts'
import { lowestOf, type View, type ViewStore } from './store.ts'

/** What every log and store must let a projector do where rows that others refer to stand still, and go on late. */
export function projectorLateContract(
  name: string,
  make: () => Promise<ProjectorUnderTest>,
  { seeds }: { readonly seeds: number },
): void {
  describe(`rows made with rows that go on late: ${name}`, () => {
    const its = parcelsUnderTest(make)
    const { start, append, named, caughtUp, viewOf, peopleOf, isRight, expectRight } = its

    const rowOf = async (projected: Parcels, key: string) => {
      const { value } = await (await viewOf(projected)).get([{ tenant: defaultTenant, key }])
      return value[0] == null ? null : JSON.parse(value[0])
    }

    test('a row that was parked and goes on is followed where nothing else happens, after a crash too', async () => {
      const { names, hear } = deaf()
      const projected = its.parcels({ hear, parcelShards: 2 })
      const projector = await start(projected, { ...prompt, presentRows: 2, minBatchEvents: 1 })
      const ids = Array.from({ length: 9 }, (_, n) => `retried-${n}`)
      for (const id of ids) await append('parcel', id, sentBy('hal', null, 'north'))
      await named('hal', 'before')
      names.add('unheard')
      await named('hal', 'unheard')
      await named('hal', 'last')
      await caughtUp(projector)
      expect(await Promise.all(ids.map(async id => (await rowOf(projected, id)).from))).toEqual(ids.map(() => 'before'))
      // The row goes on while nobody follows it.
      await projector.stop()
      names.clear()
      const alone = { ...post(projected), projections: [projected.People] }
      const people = await startProjector({ app: alone, log: its.log, store: its.tested.store, ...quick, ...prompt })
      await its.retryPeople(projected)
      await people.stop()
      expect((await rowOf(projected, 'retried-0')).from).toBe('before')
      const again = await start(projected, prompt)
      await until(() => isRight(projected))
      await expectRight(projected)
      // And while it is followed.
      names.add('never')
      await named('hal', 'never')
      await until(async () => (await (await peopleOf(projected)).letters.list({ limit: 1 })).length === 1)
      await caughtUp(again)
      names.clear()
      await its.retryPeople(projected)
      await until(() => isRight(projected))
      await expectRight(projected)
    })

    test('nobody passes a shard with parked keys, so that none misses what changes late behind it', async () => {
      const { names, hear } = deaf()
      const projected = its.parcels({ hear })
      // No late change is looked for at the head: it has to be met on the way.
      const store: ViewStore = {
        ...its.tested.store,
        open: async (shape, generation) => {
          const view = await its.tested.store.open(shape, generation)
          const changes: View['changes'] = async query => {
            const found = await view.changes(query)
            return query.through < Number.MAX_SAFE_INTEGER ? found : { ...found, changed: [] }
          }
          return { ...view, changes }
        },
      }
      await append('parcel', 'late', sentBy('ida', null, 'north'))
      const own = await viewOf(projected)
      await start(projected, { ...prompt, emptyMoveMs: 100_000 }, store)
      await named('ida', 'before')
      await until(() => isRight(projected))
      names.add('unheard')
      await named('ida', 'unheard')
      const people = await peopleOf(projected)
      await until(async () => (await people.letters.list({ limit: 1 })).length === 1)
      await append('parcel', 'other', sentBy('jo', null, 'north'))
      await append('parcel', 'other', ParcelEvents.ParcelWeighed({ grams: 5 }))
      // As long as it would take to pass the shard, if that held up nobody.
      await new Promise(resolve => setTimeout(resolve, 30))
      const passed = lowestOf(await own.checkpoints()).position
      expect(passed).toBeLessThanOrEqual(lowestOf(await people.checkpoints()).position)
      names.clear()
      await its.retryPeople(projected)
      await until(() => isRight(projected))
      await expectRight(projected)
    })

    test('whenever rows referred to are parked and go on, in whatever shards: the same bytes', async () => {
      for (let seed = 1; seed <= seeds / 2; seed++) {
        const random = seeded(1000 + seed)
        const { names, hear } = deaf()
        const projected = its.parcels({ hear, peopleShards: 1 + (seed % 3), parcelShards: 1 + (seed % 2) * 2 })
        const store = unsteady(its.tested.store, random, seed % 4 === 0 ? 0 : 0.02)
        const limits = {
          ...prompt,
          minBatchEvents: 1 + Math.floor(random() * 8),
          maxBatchEvents: 10 + Math.floor(random() * 30),
          maxChangedRefs: 1 + Math.floor(random() * 6),
          presentRows: 1 + Math.floor(random() * 5),
        }
        const projector = await start(projected, limits, store)
        for (let round = 0; round < 4; round++) {
          names.clear()
          for (let n = 0; n < 50; n++) if (random() < 0.1) names.add(`name ${n}`)
          await appendSome(its.log, 15, random)
          if (random() < 0.5) await caughtUp(projector)
          if (random() < 0.7) await (await peopleOf(projected)).letters.request('retry-all')
        }
        await caughtUp(projector)
        names.clear()
        const { letters } = await peopleOf(projected)
        await until(async () => {
          if ((await letters.openRequests()) === 0) await letters.request('retry-all')
          return (await letters.list({ limit: 1 })).length === 0
        })
        await until(() => isRight(projected))
        await expectRight(projected)
        await projector.stop()
      }
    }, 120_000)
  })
}
