import type { NewEvent } from 'bifold'
import { openPostgres, postgresLogStorage, postgresViewStore } from 'bifold/postgres'
import { inMemory } from 'bifold/stores/memory'
import { explain, rowAt, verify } from 'bifold/verify'
import { describe, expect, test } from 'vitest'
import { createLog, defaultTenant, type LogStorage } from '../src/log/index.ts'
import { rowId, startProjector, type View, type ViewStore, viewShapeOf } from '../src/project/index.ts'
import {
  appendSome,
  eventsOf,
  expectedParcels,
  PersonEvents,
  parcels,
  post,
  sentBy,
} from '../src/project/parcels.contract.ts'
import { seeded } from '../src/testing/seeded.ts'
import { describePostgres, freshDatabase } from './support/postgres.ts'

const docIn = (docs: ReadonlyMap<string, string>, id: string): unknown => JSON.parse(docs.get(id) ?? 'null')

/** Rows are folded at once, or a few at a time. */
const few = { maxBytes: 20_000 }
const memories = [{ maxBytes: 2 ** 30 }, few]

interface Opened {
  readonly storage: LogStorage
  readonly store: ViewStore
  readonly close: () => Promise<void>
}

/** What verifying must say of rows that are made with rows of other views, on every backend. */
function verifying(name: string, open: () => Promise<Opened>): void {
  describe(`on ${name}`, () => {
    test('rows are what the log makes of them, while all views go on, and in the midst of a large move', async () => {
      const { storage, store, close } = await open()
      const projected = parcels({ parcelShards: 2 })
      const log = await createLog(storage, { eventTypes: post(projected).eventTypes })
      const on = { log, views: store }
      const random = seeded(5)
      // Stops after its first part of a move that takes several, as if somebody pulled the plug.
      const stopped = Promise.withResolvers<void>()
      let mayMove = true
      const halting: ViewStore = {
        ...store,
        open: async (shape, generation) => {
          const view = await store.open(shape, generation)
          const commit: View['commit'] = async change => {
            if (!mayMove && shape.projection === projected.Parcels) return new Promise(() => undefined)
            if (change.cursor !== undefined) {
              mayMove = false
              const outcome = await view.commit(change)
              stopped.resolve()
              return outcome
            }
            return view.commit(change)
          }
          return { ...view, commit }
        },
      }
      const limits = { minBatchEvents: 20, presentRows: 20, emptyMoveMs: 2, refPollMs: 2 }
      const projector = await startProjector({ app: post(projected), log, store: halting, ...limits })
      for (let round = 0; round < 5; round++) {
        await appendSome(log, 30, random)
        for (const one of Object.values(projected)) {
          for (const options of memories) expect(await verify(on, one, options)).toMatchObject({ equal: true })
        }
      }
      // What every row was, at every position, is what the plainest fold makes of the events up to there.
      const all = await eventsOf(log)
      const categories = new Set<string>()
      for (const key of Array.from({ length: 8 }, (_, n) => `parcel-${3 * n}`)) {
        const { steps, row, failure } = await explain(on, projected.Parcels, key)
        expect(failure).toBeUndefined()
        const id = rowId({ tenant: defaultTenant, key })
        expect(row).toEqual(docIn(expectedParcels(all), id))
        for (const { event } of steps) categories.add(event.category)
        for (const { event, row: after } of steps) {
          const expected = docIn(expectedParcels(all.filter(({ position }) => position <= event.position)), id)
          expect([event.position, after]).toEqual([event.position, expected])
        }
        // Each asks the log again: the last one of each row will do.
        const last = steps.at(-1)
        if (last === undefined) continue
        expect(await rowAt(on, projected.Parcels, key, last.event.position)).toEqual(last.row)
      }
      expect([...categories].toSorted()).toEqual(['depot', 'parcel', 'person'])
      const append = (category: string, id: string, event: NewEvent) =>
        log.append({ stream: { tenant: defaultTenant, category, id }, expected: 'any', events: [event] })
      await append('person', 'many', PersonEvents.PersonNamed({ name: 'before' }))
      const sent = Array.from({ length: 150 }, (_, n) => append('parcel', `many-${n}`, sentBy('many', null, 'north')))
      await Promise.all(sent)
      const { position } = await log.head()
      const view = await store.open(viewShapeOf(projected.Parcels))
      while ((await view.checkpoints()).some(at => at.position < position)) await new Promise(r => setTimeout(r, 5))
      await append('person', 'many', PersonEvents.PersonNamed({ name: 'after' }))
      await stopped.promise
      const checkpoints = await view.checkpoints()
      expect(checkpoints.some(({ cursor }) => cursor !== undefined)).toBe(true)
      for (const options of memories) {
        expect(await verify(on, projected.Parcels, options)).toMatchObject({ equal: true })
      }

      const [{ epoch, shard, ...from }] = checkpoints as [(typeof checkpoints)[number]]
      const [row] = await view.snapshot(async ({ pages }) => {
        for await (const page of pages) return page
        return []
      })
      const { shard: taken, ...forged } = {
        ...row!,
        shard,
        row: JSON.parse(row!.doc),
        refs: { from: null, to: null, depot: null },
      }
      const doc = JSON.stringify({ ...forged.row, from: 'forged' })
      const upserts = [{ ...forged, row: JSON.parse(doc), doc }]
      expect(await view.commit({ shard: taken, epoch, from, to: from, upserts, deletes: [] })).toBe('committed')
      for (const options of memories) {
        const found = await verify(on, projected.Parcels, options)
        const differences = [{ kind: 'changed', key: row!.key }]
        expect(found).toMatchObject({ equal: false, different: 1, differences })
        expect(found.peakBytes).toBeLessThanOrEqual(options.maxBytes)
        expect(found.passes > 4).toBe(options === few)
      }
      // The one that was halted never hears of its last commit, and is not waited for.
      expect(await projector.status()).toHaveLength(3)
      await log.close()
      await close()
    }, 60_000)

    test('a row that stands still where another one changed is verified as it stands, also after a rebuild', async () => {
      const { storage, store, close } = await open()
      const unshowable = new Set<string>()
      const unheard = new Set<string>()
      const projected = parcels({
        guard: ({ from }) => {
          if (unshowable.has(from ?? '')) throw new RangeError('not so')
        },
        hear: given => {
          if (unheard.has(given)) throw new RangeError('unheard of')
        },
      })
      const log = await createLog(storage, { eventTypes: post(projected).eventTypes })
      const on = { log, views: store }
      const retry = { minDelayMs: 1, maxDelayMs: 5 }
      const limits = { emptyMoveMs: 2, refPollMs: 2, requestPollMs: 2, foldAttempts: 1, retry }
      const projector = await startProjector({ app: post(projected), log, store, ...limits })
      const append = (category: string, id: string, event: NewEvent) =>
        log.append({ stream: { tenant: defaultTenant, category, id }, expected: 'any', events: [event] })
      const named = (id: string, to: string) => append('person', id, PersonEvents.PersonNamed({ name: to }))
      const view = await store.open(viewShapeOf(projected.Parcels))
      const caughtUp = async (of: View): Promise<void> => {
        const { position } = await log.head()
        while ((await of.checkpoints()).some(at => at.position < position)) await new Promise(r => setTimeout(r, 5))
      }
      const verified = (parkedKeys: number) => expect.objectContaining({ equal: true, parkedKeys })

      await named('ada', 'Ada')
      await named('bo', 'Bo')
      for (const id of ['one', 'two']) await append('parcel', id, sentBy('ada', 'bo', 'north'))
      await caughtUp(view)
      unshowable.add('Countess')
      await named('ada', 'Countess')
      // Those that stand still follow none of what they refer to.
      await named('bo', 'Bo the second')
      await append('parcel', 'three', sentBy('bo', null, 'north'))
      await append('parcel', 'one', sentBy('bo', null, 'north'))
      await caughtUp(view)
      for (const options of memories) expect(await verify(on, projected.Parcels, options)).toEqual(verified(2))

      // Of a retry that does not get to the end a part is in the row, made with rows as they were then.
      unshowable.add('Bo the second')
      await view.letters.request('retry-all')
      while ((await view.letters.openRequests()) > 0) await new Promise(r => setTimeout(r, 5))
      unshowable.delete('Countess')
      await view.letters.request('retry-all')
      while ((await view.letters.openRequests()) > 0) await new Promise(r => setTimeout(r, 5))
      expect(await view.letters.list({ limit: 9 })).toMatchObject([{ key: 'one' }])
      await named('ada', 'Ada again')
      await caughtUp(view)
      unshowable.clear()
      for (const options of memories) expect(await verify(on, projected.Parcels, options)).toEqual(verified(1))

      // A new generation meets the same, and parks what it cannot make.
      unshowable.add('Countess').add('Bo the second')
      const next = { ...projected, Parcels: { ...projected.Parcels, version: 2 } }
      const rebuilding = await startProjector({ app: post(next), log, store, ...limits })
      await caughtUp(await store.open(viewShapeOf(next.Parcels)))
      unshowable.clear()
      const rebuilt = await verify(on, next.Parcels)
      expect(rebuilt).toMatchObject({ equal: true, generation: 2 })
      expect(rebuilt.parkedKeys).toBeGreaterThan(0)
      await rebuilding.stop()

      // One that cannot follow a row that was parked itself is of no one position: its state is compared alone.
      unshowable.add('Never')
      unheard.add('Never')
      await named('ada', 'Never')
      await caughtUp(view)
      unheard.clear()
      const people = await store.open({ ...viewShapeOf(projected.People), past: true })
      await people.letters.request('retry-all')
      while ((await view.letters.list({ limit: 9 })).length < 2) await new Promise(r => setTimeout(r, 5))
      unshowable.clear()
      for (const options of memories) expect(await verify(on, projected.Parcels, options)).toEqual(verified(2))
      await view.letters.request('retry-all')
      while ((await view.letters.openRequests()) > 0) await new Promise(r => setTimeout(r, 5))
      await caughtUp(view)
      for (const options of memories) expect(await verify(on, projected.Parcels, options)).toEqual(verified(0))
      await projector.stop()
      await log.close()
      await close()
    }, 60_000)
  })
}

verifying('memory', async () => {
  const { log, views, close } = inMemory()
  return { storage: log, store: views, close }
})

describePostgres('with a server', () => {
  verifying('PostgreSQL', async () => {
    const fresh = await freshDatabase()
    const database = await openPostgres(fresh.url)
    const store = postgresViewStore(database)
    const close = async (): Promise<void> => {
      await store.close()
      await database.close()
      await fresh.drop()
    }
    return { storage: postgresLogStorage(database), store, close }
  })
})
