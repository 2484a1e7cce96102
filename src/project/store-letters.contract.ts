import { describe, expect, test } from 'vitest'
import { defaultTenant, origin } from '../log/index.ts'
import type { Letter, ParkedKey, Parking } from './dead-letters.ts'
import { shardOf } from './shard-of.ts'
import type { StoreUnderTest } from './store.contract.ts'
import type { View } from './store.ts'
import { at, keysOf, newName, oddStrings, things, upsert } from './things.contract.ts'
import { viewShapeOf } from './view-shape.ts'

const letter = (key: string, position: number, tenant = defaultTenant): Letter => ({ tenant, key, position })

const parkedAt = (key: string, position: number, more: Partial<ParkedKey> = {}): ParkedKey => ({
  ...letter(key, position),
  code: 'project/fold-failed',
  message: 'it threw',
  stack: 'at on.Added (file.ts:1:2)\nat elsewhere',
  attempts: 3,
  since: '2026-11-21T03:30:00.123Z',
  ...more,
})

const nothing: Parking = { parked: [], letters: [], drained: [], skipped: [], answered: [], maxEvents: 100 }

/** What every view store must hold of dead letters. */
export function lettersContract(tested: () => StoreUnderTest, isApart: boolean): void {
  describe('dead letters', () => {
    const open = (name = newName(), shards = 1): Promise<View> =>
      tested().store.open(viewShapeOf(things(name, 1, shards)))

    /** A view of which one shard was claimed, and commits to it. */
    async function held(name = newName()) {
      const view = await open(name)
      const { epoch } = await view.claim(0)
      let from = 0
      const commit = (parking: Partial<Parking>, to = from, upserts = [] as ReturnType<typeof upsert>[]) =>
        view
          .commit({
            ...{ shard: 0, epoch, from: at(from), to: at(to), upserts, deletes: [] },
            parking: { ...nothing, ...parking },
          })
          .then(outcome => {
            if (outcome === 'committed') from = to
            return outcome
          })
      return { view, commit }
    }
    const all = { limit: 100 }

    test('a new view has none', async () => {
      const view = await open()
      expect(await view.letters.list(all)).toEqual([])
      expect(await view.letters.held(0)).toEqual({ parked: [], skips: [] })
      expect(await view.letters.find(letter('k', 0))).toBeUndefined()
      expect(await view.letters.skips()).toEqual([])
      expect((await view.get(keysOf(['k']))).parked).toBeUndefined()
    })

    test('a key is parked together with the checkpoint and the rows of others', async () => {
      const { view, commit } = await held()
      const parking = { parked: [parkedAt('bad', 2)], letters: [letter('bad', 2), letter('bad', 4)] }
      expect(await commit(parking, 5, [upsert('good', {}, 3)])).toBe('committed')
      expect(await view.checkpoint(0)).toEqual({ ...at(5), epoch: 1 })
      const listed = { ...parkedAt('bad', 2), shard: 0, events: 2 }
      expect(await view.letters.list(all)).toEqual([listed])
      expect(await view.letters.find(letter('bad', 0))).toEqual(listed)
      expect(await view.letters.positions(letter('bad', 0), 0, 10)).toEqual([2, 4])
      expect(await view.letters.held(0)).toEqual({ parked: [letter('bad', 2)], skips: [] })
      expect(await view.checkpoints()).toEqual([{ shard: 0, ...at(5), epoch: 1, parked: 1 }])
      const { value, parked } = await view.get(keysOf(['good', 'bad', 'none']))
      expect(value.map(doc => doc !== null)).toEqual([true, false, false])
      expect(parked).toEqual([letter('bad', 2)])
      expect((await view.get(keysOf(['good']))).parked).toBeUndefined()
      const seen = await view.snapshot(async ({ parked, skips, checkpoints }) => ({ parked, skips, checkpoints }))
      const checkpoints = [{ shard: 0, ...at(5), epoch: 1, parked: 1 }]
      expect(seen).toEqual({ parked: [letter('bad', 2)], skips: [], checkpoints })
    })

    test('a key says of which position the rows are that its own is made with, where that is known', async () => {
      const { view, commit } = await held()
      const joined = parkedAt('joined', 4, { refsAt: 3 })
      await commit({ parked: [joined, parkedAt('own', 4)], letters: [letter('joined', 4), letter('own', 4)] }, 5)
      const standing = async () => view.snapshot(async ({ parked }) => parked)
      expect(await standing()).toEqual([{ ...letter('joined', 4), refsAt: 3 }, letter('own', 4)])
      expect(await view.letters.find(joined)).toEqual({ ...joined, shard: 0, events: 1 })
      expect(await view.letters.list(all)).toMatchObject([{ refsAt: 3 }, { key: 'own' }])
      expect((await view.letters.list(all))[1]).not.toHaveProperty('refsAt')
      expect((await view.letters.held(0)).parked).toEqual([letter('joined', 4), letter('own', 4)])
      await commit({ parked: [{ ...joined, refsAt: 5 }], drained: [letter('joined', 3)] })
      expect(await standing()).toMatchObject([{ refsAt: 5 }, {}])
      await commit({ parked: [parkedAt('joined', 4)], drained: [letter('joined', 3)] })
      expect((await standing())[0]).toEqual(letter('joined', 4))
    })

    test('a key may stand where there is no event yet, which then waits once', async () => {
      const { view, commit } = await held()
      await commit({ parked: [parkedAt('k', 4)], letters: [letter('k', 4)] }, 3)
      expect(await commit({ letters: [letter('k', 4), letter('k', 5)] }, 5)).toBe('committed')
      expect(await view.letters.positions(letter('k', 0), 0, 10)).toEqual([4, 5])
      expect(await view.letters.find(letter('k', 0))).toMatchObject({ position: 4, events: 2 })
    })

    test('later events wait behind the first one, and another process sees them', async () => {
      const { view, commit } = await held()
      await commit({ parked: [parkedAt('k', 1)], letters: [letter('k', 1)] }, 1)
      await commit({ letters: [letter('k', 2), letter('k', 3)] }, 3)
      await commit({ letters: [letter('k', 7)] }, 7)
      const other = await tested().other.open(viewShapeOf(things(view.projection)))
      expect(await other.letters.positions(letter('k', 0), 0, 10)).toEqual([1, 2, 3, 7])
      expect(await other.letters.positions(letter('k', 0), 1, 2)).toEqual([2, 3])
      expect(await other.letters.find(letter('k', 0))).toMatchObject({ position: 1, events: 4 })
    })

    test('nothing of them is written where the fence does not hold', async () => {
      const { view, commit } = await held()
      await view.claim(0)
      const parking = { parked: [parkedAt('k', 1)], letters: [letter('k', 1)] }
      expect(await commit({ ...parking, skipped: [{ ...letter('k', 9), reason: 'r', at: '' }] }, 1)).toBe('fenced')
      expect(await view.letters.list(all)).toEqual([])
      expect(await view.letters.skips()).toEqual([])
    })

    test('keys that are drained go on, and what is left of others waits', async () => {
      const { view, commit } = await held()
      const letters = ['a', 'b', 'c'].flatMap(key => [letter(key, 1), letter(key, 2), letter(key, 3)])
      await commit({ parked: ['a', 'b', 'c'].map(key => parkedAt(key, 1)), letters }, 3)
      const again = parkedAt('b', 2, { code: 'project/invalid-row', message: 'it does not fit' })
      const drained = [letter('a', 3), letter('b', 1)]
      expect(await commit({ drained, parked: [again] }, 3, [upsert('a', {}, 3)])).toBe('committed')
      expect(await view.letters.list(all)).toEqual([
        { ...again, shard: 0, events: 2 },
        { ...parkedAt('c', 1), shard: 0, events: 3 },
      ])
      expect(await view.letters.positions(letter('a', 0), 0, 10)).toEqual([])
      expect(await view.letters.positions(letter('b', 0), 0, 10)).toEqual([2, 3])
      expect((await view.get(keysOf(['a', 'b']))).parked).toEqual([letter('b', 2)])
    })

    test('a key that went on can be parked again', async () => {
      const { view, commit } = await held()
      await commit({ parked: [parkedAt('k', 1)], letters: [letter('k', 1)] }, 1)
      await commit({ drained: [letter('k', 1)] })
      expect(await view.letters.list(all)).toEqual([])
      await commit({ parked: [parkedAt('k', 2)], letters: [letter('k', 2)] }, 2)
      expect(await view.letters.find(letter('k', 0))).toMatchObject({ position: 2, events: 1 })
    })

    if (!isApart) {
      test('more than there may be are not written, and neither is anything else', async () => {
        const { view, commit } = await held()
        const parking = { parked: [parkedAt('k', 1)], letters: [letter('k', 1), letter('k', 2)], maxEvents: 3 }
        expect(await commit(parking, 2)).toBe('committed')
        const more = { letters: [letter('k', 3), letter('k', 4)], maxEvents: 3 }
        expect(await commit(more, 4, [upsert('good', {}, 4)])).toBe('full')
        expect(await view.checkpoint(0)).toMatchObject(at(2))
        expect((await view.get(keysOf(['good']))).value).toEqual([null])
        expect(await view.letters.find(letter('k', 0))).toMatchObject({ events: 2 })
        expect(await commit({ letters: [letter('k', 3)], maxEvents: 3 }, 3)).toBe('committed')
        // What a commit takes away makes room for what it adds.
        const turned = {
          drained: [letter('k', 3)],
          parked: [parkedAt('l', 4)],
          letters: [letter('l', 4)],
          maxEvents: 1,
        }
        expect(await commit(turned, 4)).toBe('committed')
      })
    }

    test('requests wait for the holder, who answers them; another one takes the place of none', async () => {
      const { view, commit } = await held()
      const { letters } = view
      await commit({ parked: ['a', 'b'].map(key => parkedAt(key, 1)), letters: [letter('a', 1), letter('b', 1)] }, 1)
      const skip = { ...letter('a', 1), action: 'skip', reason: 'twice' } as const
      const retry = { ...letter('b', 1), action: 'retry' } as const
      expect(await letters.request({ ...letter('none', 1), action: 'retry' })).toEqual({ keys: 0 })
      expect(await letters.request(skip)).toEqual({ keys: 1 })
      for (const other of [
        { ...letter('a', 1), action: 'retry' },
        { ...skip, reason: 'another one' },
        { ...skip, position: 2 },
      ] as const) {
        expect(await letters.request(other)).toEqual({ keys: 0, pending: skip })
      }
      // The same again is no other request; and of all keys, those stay asked for that are.
      expect(await letters.request(skip)).toEqual({ keys: 1 })
      expect(await letters.request('retry-all')).toEqual({ keys: 2 })
      expect(await letters.request({ ...retry, position: 2 })).toEqual({ keys: 1 })
      expect(await letters.request({ ...skip, key: 'b' })).toEqual({ keys: 0, pending: retry })
      const both = [skip, retry]
      expect(await letters.requests(0, 10)).toEqual(both)
      expect(await letters.requests(0, 1)).toEqual(both.slice(0, 1))
      expect(await letters.openRequests()).toBe(2)
      await commit({ answered: [letter('a', 1)] })
      expect(await letters.openRequests(letter('a', 1))).toBe(0)
      expect(await letters.openRequests(letter('b', 1))).toBe(1)
      // A key that is free waits for nothing any more.
      await commit({ drained: [letter('b', 1)] })
      expect(await letters.openRequests()).toBe(0)
      expect(await letters.list(all)).toMatchObject([{ key: 'a' }])
    })

    test('skips stay, with their reason, and a new generation takes them over', async () => {
      const name = newName()
      const { view, commit } = await held(name)
      const skip = { ...letter('k', 1), reason: 'sent twice', at: '2026-11-21T03:30:00.500Z' }
      await commit({ parked: [parkedAt('k', 1)], letters: [letter('k', 1)] }, 1)
      await commit({ drained: [letter('k', 1)], skipped: [skip] })
      expect(await view.letters.skips()).toEqual([skip])
      expect(await view.letters.held(0)).toEqual({ parked: [], skips: [letter('k', 1)] })
      const next = await tested().store.open(viewShapeOf(things(name, 2, 3)))
      expect(await next.letters.skips()).toEqual([skip])
      for (const shard of [0, 1, 2]) {
        const own = shardOf(letter('k', 1), 3) === shard ? [letter('k', 1)] : []
        expect((await next.letters.held(shard)).skips).toEqual(own)
      }
      // From then on each has its own.
      await commit({ skipped: [{ ...skip, position: 5 }] }, 5)
      expect((await next.letters.skips()).length).toBe(1)
      expect((await view.snapshot(async ({ skips }) => skips)).length).toBe(2)
    })

    test('a new generation takes over the skips of all that there ever were, wherever each was made', async () => {
      const name = newName()
      const { view, commit } = await held(name)
      const skipOf = (position: number, hour: number, reason: string) => ({
        ...letter('k', position),
        reason,
        at: `2026-11-21T${10 + hour}:00:00.000Z`,
      })
      const second = await tested().store.open(viewShapeOf(things(name, 2)))
      const { epoch } = await second.claim(0)
      const skipped = [skipOf(2, 3, 'later'), skipOf(3, 1, 'of the second')]
      const parking = { ...nothing, skipped }
      const stay = { shard: 0, epoch, from: origin, to: origin, upserts: [], deletes: [] }
      expect(await second.commit({ ...stay, parking })).toBe('committed')
      // The first one serves, and an event is skipped there after the second one was made.
      const own = [skipOf(1, 2, 'of the first'), skipOf(2, 0, 'earlier')]
      await commit({ skipped: own })
      await tested().store.drop(name, 2)
      const third = await tested().store.rebuild(viewShapeOf(things(name)))
      // Of two reasons for one event the first that was given counts.
      expect(await tested().other.skips(name)).toEqual([...own, skipped[1]])
      expect(await tested().other.skips(name, letter('k', 0))).toEqual([...own, skipped[1]])
      expect(await tested().other.skips(name, letter('l', 0))).toEqual([])
      expect(await third.letters.skips()).toEqual([...own, skipped[1]])
      expect((await third.letters.held(0)).skips).toEqual([1, 2, 3].map(position => letter('k', position)))
      expect(await view.letters.skips()).toEqual(own)
      expect(await view.letters.skips(letter('k', 0))).toEqual(own)
      expect(await view.letters.skips(letter('l', 0))).toEqual([])
    })

    test('what is parked and asked for in a generation that is dropped goes with it', async () => {
      const name = newName()
      await open(name)
      const view = await tested().store.open(viewShapeOf(things(name, 2)))
      const { epoch } = await view.claim(0)
      const parking = { ...nothing, parked: [parkedAt('k', 1)], letters: [letter('k', 1)] }
      await view.commit({ shard: 0, epoch, from: origin, to: at(1), upserts: [], deletes: [], parking })
      expect(await view.letters.request('retry-all')).toEqual({ keys: 1 })
      expect(await tested().other.drop(name, 2)).toBe('dropped')
      expect([await view.letters.list(all), await view.letters.openRequests()]).toEqual([[], 0])
    })

    test('shards and generations are kept apart', async () => {
      const view = await open(newName(), 4)
      const keys = ['a', 'b', 'c', 'd', 'e', 'f', 'g']
      for (const shard of [0, 1, 2, 3]) {
        const own = keys.filter(key => shardOf(letter(key, 1), 4) === shard)
        const { epoch } = await view.claim(shard)
        const parking = {
          ...nothing,
          parked: own.map(key => parkedAt(key, 1)),
          letters: own.map(key => letter(key, 1)),
        }
        const commit = { shard, epoch, from: origin, to: at(1), upserts: [], deletes: [], parking }
        expect(await view.commit(commit)).toBe('committed')
        expect(await view.letters.held(shard)).toEqual({ parked: own.map(key => letter(key, 1)), skips: [] })
        await view.letters.request('retry-all')
        expect((await view.letters.requests(shard, 10)).map(({ key }) => key)).toEqual(own)
        expect((await view.checkpoints())[shard]?.parked ?? 0).toBe(own.length)
      }
      const pages = [
        await view.letters.list({ limit: 4 }),
        await view.letters.list({ limit: 4, after: letter('d', 0) }),
      ]
      expect(pages.map(page => page.map(({ key }) => key))).toEqual([keys.slice(0, 4), keys.slice(4)])
      for (const { key, shard } of pages.flat()) expect(shard).toBe(shardOf(letter(key, 1), 4))
      const next = await tested().store.open(viewShapeOf(things(view.projection, 2, 4)))
      expect(await next.letters.list(all)).toEqual([])
    })

    test('odd keys, tenants and words come back as they went in', async () => {
      const { view, commit } = await held()
      const keys = [...new Set(oddStrings.map(text => text.slice(0, 100) || 'empty'))]
      const parked = keys.map(key => parkedAt(key, 1, { tenant: key, message: key, stack: key }))
      await commit({ parked, letters: parked.map(({ key, tenant }) => letter(key, 1, tenant)) }, 1)
      const found = await view.letters.list(all)
      expect(new Map(found.map(({ shard: _, events: __, ...one }) => [one.key, one]))).toEqual(
        new Map(parked.map(one => [one.key, one])),
      )
      expect((await view.get(parked)).parked?.length).toBe(parked.length)
    })
  })
}
