import { describe, expect, test } from 'vitest'
import { defaultTenant, origin } from '../log/index.ts'
import type { StoreUnderTest } from './store.contract.ts'
import type { View, ViewCommit } from './store.ts'
import { at, gone, keysOf, newName, things, upsert } from './things.contract.ts'
import { viewShapeOf } from './view-shape.ts'

/** What every view store must hold of what operators do to a projection: pausing, resuming, resetting. */
export function operationsContract(tested: () => StoreUnderTest, isApart: boolean): void {
  const open = (name: string, version = 1, shards = 2): Promise<View> =>
    tested().store.open(viewShapeOf(things(name, version, shards)))

  /** A commit of a row that is ready to be made, under an epoch of its own. */
  async function taken(view: View, shard = 0, to = 5): Promise<ViewCommit> {
    const { epoch, ...from } = await view.claim(shard)
    return { shard, epoch, from, to: at(to), upserts: [upsert(`s${shard}`, { size: to }, to)], deletes: [] }
  }
  async function heardBy(change: (name: string) => Promise<unknown>, name: string): Promise<void> {
    const heard = [tested().store, tested().other].map(
      store =>
        new Promise<void>(resolve => {
          const end = store.onGenerations(projection => {
            if (projection !== name) return
            end()
            resolve()
          })
        }),
    )
    // A notification may be lost before its listener is connected, so it is made until it is heard.
    let isHeard = false
    const all = Promise.all(heard).then(() => {
      isHeard = true
    })
    while (!isHeard) {
      await change(name)
      await Promise.race([all, new Promise(resolve => setTimeout(resolve, 20))])
    }
  }

  describe('a pause', () => {
    test('lets nobody write who took a shard before, in any generation', async () => {
      const [name, other] = [newName(), newName()]
      const views = [await open(name), await open(name, 2)] as const
      const ready = [
        [views[0], await taken(views[0], 0)],
        [views[0], await taken(views[0], 1)],
        [views[1], await taken(views[1], 1)],
      ] as const
      const untouched = await open(other)
      const going = await taken(untouched)
      await tested().store.pause(name)
      for (const [view, commit] of ready) expect(await view.commit(commit)).toBe('fenced')
      for (const view of views) expect((await view.get(keysOf(['s0', 's1']))).value).toEqual([null, null])
      expect(await untouched.commit(going)).toBe('committed')
    })

    test('is seen by every process until it is ended, however often it is made', async () => {
      const name = newName()
      const isPaused = async (): Promise<readonly boolean[]> =>
        Promise.all([tested().store, tested().other].map(async store => (await store.paused()).has(name)))
      await open(name)
      expect(await isPaused()).toEqual([false, false])
      await tested().store.pause(name)
      await tested().other.pause(name)
      expect(await isPaused()).toEqual([true, true])
      await tested().other.resume(name)
      expect(await isPaused()).toEqual([false, false])
      await tested().store.resume(name)
      expect(await isPaused()).toEqual([false, false])
    })

    test('leaves rows and positions as they are', async () => {
      const view = await open(newName())
      await view.commit(await taken(view))
      await tested().store.pause(view.projection)
      await tested().store.resume(view.projection)
      const { value, shards } = await view.get(keysOf(['s0']))
      expect([value.length, value[0] === null, shards]).toEqual([1, false, [at(5), origin]])
      const { epoch, ...from } = await view.claim(0)
      expect(await view.commit({ shard: 0, epoch, from, to: at(6), upserts: [], deletes: gone(6, 's0') })).toBe(
        'committed',
      )
    })

    test('is told of, and its end too, here and in another process', async () => {
      const name = newName()
      await Promise.all([open(name), tested().other.open(viewShapeOf(things(name, 1, 2)))])
      await heardBy(projection => tested().store.pause(projection), name)
      await heardBy(projection => tested().store.resume(projection), name)
    })
  })

  if (!isApart) {
    describe('a reset', () => {
      test('empties one generation, sets its shards back to the beginning, and fences who was under way', async () => {
        const name = newName()
        const [view, other] = [await open(name), await open(name, 2)]
        for (const [of, shard] of [
          [view, 0],
          [view, 1],
          [other, 0],
        ] as const) {
          expect(await of.commit(await taken(of, shard))).toBe('committed')
        }
        const { epoch, ...from } = await view.checkpoint(1)
        expect(await tested().other.reset(name, view.generation)).toBe('reset')
        expect(await view.get(keysOf(['s0', 's1']))).toMatchObject({ value: [null, null], shards: [origin, origin] })
        expect(await view.checkpoint(1)).toEqual({ ...origin, epoch: epoch + 1 })
        const late = { shard: 1, epoch, from, to: at(9), upserts: [upsert('s1', {}, 9)], deletes: [] }
        expect(await view.commit(late)).toBe('fenced')
        expect(await other.get(keysOf(['s0']))).toMatchObject({ shards: [at(5), origin] })
        expect(await view.commit(await taken(view))).toBe('committed')
      })

      test('frees what is parked, and keeps what is skipped', async () => {
        const view = await open(newName(), 1, 1)
        const at1 = { tenant: defaultTenant, key: 'bad', position: 1 }
        const skip = { ...at1, key: 'skipped', reason: 'a test', at: '2026-11-21T03:30:00.000Z' }
        const error = { code: 'project/fold-failed', message: 'no', attempts: 1, since: '2026-11-21T03:30:00.000Z' }
        const parking = { ...{ drained: [], answered: [], maxEvents: 10 }, letters: [at1], skipped: [skip] }
        const commit = { ...(await taken(view)), parking: { ...parking, parked: [{ ...at1, ...error }] } }
        expect(await view.commit(commit)).toBe('committed')
        expect(await view.checkpoints()).toMatchObject([{ ...at(5), parked: 1 }])
        await tested().store.reset(view.projection, view.generation)
        const { tenant, key, position } = skip
        expect(await view.letters.held(0)).toEqual({ parked: [], skips: [{ tenant, key, position }] })
        expect((await view.checkpoints())[0]).not.toHaveProperty('parked')
        expect(await view.letters.positions(at1, 0, 10)).toEqual([])
      })

      test('leaves no cursor behind, and none of its past', async () => {
        const name = newName()
        const shape = { ...viewShapeOf(things(name, 1, 1)), past: true }
        const view = await tested().store.open(shape)
        const { epoch } = await view.claim(0)
        const begun = { shard: 0, epoch, from: origin, to: origin, upserts: [], deletes: [], cursor: 'here' }
        expect(await view.commit(begun)).toBe('committed')
        await tested().store.reset(name, view.generation)
        expect(await view.checkpoint(0)).not.toHaveProperty('cursor')
        const past = [{ tenant: defaultTenant, key: 's0', position: 3, fingerprint: '000000000003', doc: null }]
        expect(await view.commit({ ...(await taken(view)), past })).toBe('committed')
        expect((await view.asOf(keysOf(['s0']), 2)).size).toBe(0)
        await tested().store.reset(name, view.generation)
        // Nothing says any more that the row was not there.
        await view.commit(await taken(view))
        expect((await view.asOf(keysOf(['s0']), 2)).size).toBe(1)
      })

      test('against a commit at the same time leaves the row of neither or a fenced commit', async () => {
        for (let round = 0; round < 20; round++) {
          const view = await open(newName(), 1, 1)
          const commit = await taken(view)
          const [, outcome] = await Promise.all([
            tested().other.reset(view.projection, view.generation),
            view.commit(commit),
          ])
          expect(['committed', 'fenced']).toContain(outcome)
          expect(await view.get(keysOf(['s0']))).toEqual({ value: [null], asOf: origin, shards: [origin] })
        }
      })

      test('of a generation that is not there is said to be so', async () => {
        const { projection } = await open(newName())
        expect(await tested().store.reset(projection, 7)).toBe('unknown')
        expect(await tested().store.reset('nothing', 1)).toBe('unknown')
      })
    })
  }
}
