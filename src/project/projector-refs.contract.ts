import { describe, expect, test } from 'vitest'
import { BifoldError } from '../define/index.ts'
import { defaultTenant } from '../log/index.ts'
import { readCursor } from './join-cursor.ts'
import { appendSome, DepotEvents, ParcelEvents, type Parcels, PersonEvents, sentBy } from './parcels.contract.ts'
import { parcelsUnderTest, seeded, unsteady } from './parcels-under-test.contract.ts'
import { type ProjectorUnderTest, until } from './projector-under-test.contract.ts'
import { shardOf } from './shard-of.ts'
import { lowestOf, type View, type ViewCommit, type ViewStore } from './store.ts'
import { viewShapeOf } from './view-shape.ts'

/** What every log and store must let a projector do with rows that are made with rows of other views. */
export function projectorRefsContract(
  name: string,
  make: () => Promise<ProjectorUnderTest>,
  { seeds, dependents }: { readonly seeds: number; readonly dependents: number },
): void {
  describe(`rows made with rows of other views: ${name}`, () => {
    const its = parcelsUnderTest(make)
    const { start, append, named, caughtUp, viewOf, peopleOf, isRight, expectRight } = its

    const rowOf = async (projected: Parcels, key: string) => {
      const { value } = await (await viewOf(projected)).get([{ tenant: defaultTenant, key }])
      return value[0] == null ? null : JSON.parse(value[0])
    }

    test('a row follows those that it refers to: named, named otherwise, gone, and there again', async () => {
      const projected = its.parcels()
      const projector = await start(projected)
      const from: (string | null)[] = []
      const look = async (): Promise<void> => {
        await caughtUp(projector)
        from.push((await rowOf(projected, 'follows')).from)
      }
      await append('parcel', 'follows', sentBy('ada', null, 'north'))
      await look()
      await named('ada', 'Ada')
      await look()
      await named('ada', 'Ada Lovelace')
      await look()
      await append('person', 'ada', PersonEvents.PersonGone({}))
      await look()
      await named('ada', 'Ada again')
      await look()
      expect(from).toEqual([null, 'Ada', 'Ada Lovelace', null, 'Ada again'])
    })

    test('a row that refers to another one follows that, and the one before no longer', async () => {
      const projected = its.parcels()
      const projector = await start(projected)
      await append('parcel', 'turns', sentBy('ada', 'bo', 'north'))
      await Promise.all([named('ada', 'Ada'), named('bo', 'Bo'), named('cy', 'Cy')])
      await append('parcel', 'turns', ParcelEvents.ParcelReaddressed({ to: 'cy' }))
      await named('bo', 'Bo the second')
      await caughtUp(projector)
      expect(await rowOf(projected, 'turns')).toMatchObject({ from: 'Ada', to: 'Cy' })
      await named('cy', 'Cy the second')
      await append(
        'parcel',
        'turns',
        ParcelEvents.ParcelReaddressed({ to: null }),
        ParcelEvents.ParcelWeighed({ grams: 3 }),
      )
      await named('cy', 'Cy the third')
      await caughtUp(projector)
      expect(await rowOf(projected, 'turns')).toEqual({ grams: 3, from: 'Ada', to: null, town: null })
    })

    test('whatever the speeds of both sides, in whatever shards, and wherever sessions end: the same bytes', async () => {
      for (let seed = 1; seed <= seeds; seed++) {
        const random = seeded(seed)
        const projected = its.parcels({ peopleShards: 1 + (seed % 3), parcelShards: 1 + (seed % 2) * 2 })
        const store = unsteady(its.tested.store, random, seed % 4 === 0 ? 0 : 0.03)
        const limits = {
          minBatchEvents: 1 + Math.floor(random() * 8),
          maxBatchEvents: 10 + Math.floor(random() * 30),
          turnEvents: 2,
          maxChangedRefs: 1 + Math.floor(random() * 6),
          presentRows: 1 + Math.floor(random() * 5),
        }
        await appendSome(its.log, 20, random)
        const projector = await start(projected, limits, store)
        await appendSome(its.log, 60, random)
        await caughtUp(projector)
        await projector.stop()
        await expectRight(projected)
      }
    }, 120_000)

    test('a view that is added to an old log, when others are long ahead and keep little of their past, is the same', async () => {
      const first = its.parcels({ peopleShards: 2 })
      const random = seeded(99)
      await appendSome(its.log, 60, random)
      await caughtUp(await start(first))
      const view = await its.tested.store.open(viewShapeOf(first.People))
      expect(await view.prune(1000)).toBeGreaterThan(0)
      const late = { ...first, Parcels: { ...first.Parcels, version: 2 } }
      const projector = await start(late, { minBatchEvents: 3, maxBatchEvents: 7 })
      await appendSome(its.log, 60, random)
      await caughtUp(projector)
      // It is built beside the one that serves.
      const { position } = await its.log.head()
      for (const own = await viewOf(late); lowestOf(await own.checkpoints()).position < position; ) {
        await new Promise(resolve => setTimeout(resolve, 2))
      }
      await expectRight(late)
    })

    test('a row is made with rows of one position, also where some views have forgotten more than others', async () => {
      const first = its.parcels()
      const steps = Array.from({ length: 9 }, (_, n) => n)
      const moved = (town: string) => append('depot', 'even', DepotEvents.DepotsMoved({ depots: ['even'], town }))
      await Promise.all([named('eve', '0'), moved('0')])
      for (const step of steps) {
        await append('parcel', `even-${step}`, sentBy('eve', null, 'even'))
        await named('eve', `${step + 1}`)
        await moved(`${step + 1}`)
      }
      await caughtUp(await start(first))
      const people = await peopleOf(first)
      while ((await people.prune(1000)) > 0);
      const seen: { from: string | null; town: string | null }[] = []
      const watched: ViewStore = {
        ...its.tested.store,
        open: async (shape, generation) => {
          const view = await its.tested.store.open(shape, generation)
          const commit: View['commit'] = async change => {
            const own = change.upserts.filter(({ key }) => key.startsWith('even-'))
            if (shape.projection.name === first.Parcels.name) seen.push(...own.map(({ row }) => row as never))
            return view.commit(change)
          }
          return { ...view, commit }
        },
      }
      const late = { ...first, Parcels: { ...first.Parcels, version: 2 } }
      await start(late, { minBatchEvents: 1, maxBatchEvents: 2 }, watched)
      await until(() => isRight(late))
      expect(seen.length).toBeGreaterThanOrEqual(steps.length)
      // The name changes before the town does.
      const apart = seen.map(({ from, town }) => Number(from) - Number(town))
      expect(apart.filter(by => by !== 0 && by !== 1)).toEqual([])
    })

    test('what rows were is not kept longer than it is needed, however few changes each process sees', async () => {
      const projected = its.parcels({ peopleShards: 2 })
      const people = await its.tested.store.open({ ...viewShapeOf(projected.People), past: true })
      const kept = async (): Promise<number> => {
        const { changed } = await people.changes({ after: 0, through: Number.MAX_SAFE_INTEGER, limit: 10_000 })
        return changed.length
      }
      for (let round = 1; round <= 3; round++) {
        const projector = await start(projected)
        for (let n = 1; n <= 5; n++) await named(`kept-${n}`, `round ${round}`)
        await caughtUp(projector)
        await projector.stop()
      }
      await start(projected)
      await until(async () => (await kept()) === 0)
    })
    test('while rows of one shard are made anew, its other shards and other views go on', async () => {
      const projected = its.parcels({ parcelShards: 2 })
      const own = Array.from({ length: 200 }, (_, n) => `halted-${n}`)
      const isInShard = (shard: number) => (id: string) => shardOf({ tenant: defaultTenant, key: id }, 2) === shard
      const [there, elsewhere] = [own.filter(isInShard(0)).slice(0, 30), own.find(isInShard(1)) as string]
      await named('halting', 'before')
      for (const id of there) await append('parcel', id, sentBy('halting', null, 'north'))
      const before = await start(projected)
      await caughtUp(before)
      await before.stop()
      let goOn = (): void => undefined
      const halted = new Promise<void>(resolve => {
        goOn = resolve
      })
      let halts = 0
      const halting: ViewStore = {
        ...its.tested.store,
        open: async (shape, generation) => {
          const view = await its.tested.store.open(shape, generation)
          const commit: View['commit'] = async change => {
            const outcome = await view.commit(change)
            if (change.cursor === undefined) return outcome
            halts++
            await halted
            return outcome
          }
          return { ...view, commit }
        },
      }
      const position = await named('halting', 'after')
      await start(projected, { presentRows: 5, minBatchEvents: 5 }, halting)
      await until(async () => halts > 0)
      const later = await append('parcel', elsewhere, sentBy('few', null, 'north'))
      const [view, people] = [await viewOf(projected), await peopleOf(projected)]
      await until(async () => (await view.checkpoint(1)).position >= later)
      await until(async () => lowestOf(await people.checkpoints()).position >= later)
      expect((await view.checkpoint(0)).position).toBeLessThan(position)
      goOn()
      await until(async () => (await view.checkpoint(0)).position >= later)
      await expectRight(projected)
    })

    test('one row with many that refer to it: bounded commits, and the checkpoint moves when all are made anew', async () => {
      const projected = its.parcels({ parcelShards: 2 })
      const projector = await start(projected)
      await named('many', 'before')
      const sent = Array.from({ length: dependents }, (_, n) => `many-${n}`)
      for (let n = 0; n < dependents; n += 1000) {
        const some = sent.slice(n, n + 1000)
        await Promise.all(some.map(id => append('parcel', id, sentBy('many', null, 'north'))))
      }
      await append('parcel', 'other', sentBy('few', null, 'north'))
      await caughtUp(projector)
      await projector.stop()

      const commits: ViewCommit[] = []
      const watched: ViewStore = {
        ...its.tested.store,
        open: async shape => {
          const view = await its.tested.store.open(shape)
          const commit: View['commit'] = async change => {
            if (shape.projection === projected.Parcels) commits.push(change)
            return view.commit(change)
          }
          return { ...view, commit }
        },
      }
      const presentRows = 100
      await named('many', 'after')
      const { position } = await its.log.head()
      // Each session ends after its first chunk, as if the process had crashed there.
      let crashes = 0
      const crashing: ViewStore = {
        ...watched,
        open: async shape => {
          const view = await watched.open(shape)
          const commit: View['commit'] = async change => {
            const outcome = await view.commit(change)
            if (change.cursor !== undefined) {
              crashes++
              throw new BifoldError('project/store-unreachable', { projection: shape.projection.name, problem: 'lost' })
            }
            return outcome
          }
          return { ...view, commit }
        },
      }
      await caughtUp(await start(projected, { presentRows, minBatchEvents: presentRows }, crashing))
      const chunks = commits.filter(({ cursor }) => cursor !== undefined)
      expect(crashes).toBe(chunks.length)
      expect(chunks.length).toBeGreaterThan(dependents / presentRows - 4)
      expect(Math.max(...commits.map(({ upserts }) => upserts.length))).toBeLessThanOrEqual(presentRows * 2)
      // Every row is written once, however often the process crashed.
      expect(commits.reduce((sum, { upserts }) => sum + upserts.length, 0)).toBe(dependents)
      for (const { from, to, madeAt, cursor } of chunks) {
        expect([to.position, from.position < position]).toEqual([from.position, true])
        expect(madeAt).toBe(readCursor(cursor!).to.position)
      }
      expect(commits.filter(({ to }) => to.position >= position).every(({ cursor }) => cursor === undefined)).toBe(true)
      await expectRight(projected)
    }, 120_000)
  })
}
