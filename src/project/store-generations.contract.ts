import { describe, expect, test } from 'vitest'
import { origin } from '../log/index.ts'
import type { StoreUnderTest } from './store.contract.ts'
import type { View } from './store.ts'
import { at, keysOf, newName, things, upsert } from './things.contract.ts'
import { viewShapeOf } from './view-shape.ts'

/** What every view store must hold of several generations of one projection. */
export function generationsContract(tested: () => StoreUnderTest, isApart: boolean): void {
  describe('generations beside each other', () => {
    const shapeOf = (name: string, version = 1, shards = 1) => viewShapeOf(things(name, version, shards))

    async function move(view: View, to: number, shard = 0): Promise<void> {
      const { epoch, ...from } = await view.claim(shard)
      const upserts = [upsert(`s${shard}`, { size: to }, to)]
      expect(await view.commit({ shard, epoch, from, to: at(to), upserts, deletes: [] })).toBe('committed')
    }
    const activeOf = async (name: string): Promise<number | undefined> =>
      (await tested().other.generations(name)).find(({ active }) => active)?.generation

    test('the first serves at once, and another shape does not', async () => {
      const name = newName()
      const rollups = isApart ? {} : { sizes: { by: () => 'all', sum: () => ({ things: 1 }) } }
      const [one, two] = [shapeOf(name), viewShapeOf({ ...things(name, 2, 3), rollups })]
      expect(await tested().store.generations(name)).toEqual([])
      await move(await tested().store.open(one), 4)
      await tested().store.open(two)
      for (const store of [tested().store, tested().other]) {
        expect(await store.generations(name)).toEqual([
          {
            ...{
              generation: 1,
              version: 1,
              shards: 1,
              columns: one.columns,
              active: true,
              served: true,
              followed: false,
              parked: 0,
              referredTo: false,
              refersTo: [],
              setAside: false,
            },
            ...(isApart && { apart: 'memory' }),
            ...{ definition: one.definition, rowShape: one.rowShape, sums: {} },
            checkpoints: [{ shard: 0, ...at(4), epoch: 1 }],
            loads: [],
          },
          {
            ...{
              generation: 2,
              version: 2,
              shards: 3,
              columns: two.columns,
              active: false,
              served: false,
              followed: false,
              parked: 0,
              referredTo: false,
              refersTo: [],
              setAside: false,
            },
            ...(isApart && { apart: 'memory' }),
            ...{ definition: two.definition, rowShape: two.rowShape, sums: two.sums ?? {} },
            checkpoints: [0, 1, 2].map(shard => ({ shard, ...origin, epoch: 0 })),
            loads: [],
          },
        ])
      }
    })

    test('one is followed while a process that knows it is alive', async () => {
      const name = newName()
      await tested().store.open(shapeOf(name))
      await tested().store.open(shapeOf(name, 2))
      const followed = async () => (await tested().other.generations(name)).map(one => one.followed)
      const beat = { owner: `${name}-owner`, views: [{ projection: name, generation: 2, shards: 1 }] }
      await tested().store.beat({ ...beat, leaseMs: 60_000 })
      expect(await followed()).toEqual([false, true])
      await tested().store.beat({ ...beat, leaseMs: 0 })
      expect(await followed()).toEqual([false, false])
      await tested().store.beat({ ...beat, leaseMs: 60_000 })
      await tested().store.leave(beat.owner)
      expect(await followed()).toEqual([false, false])
    })

    test('a rebuild makes one more of the same shape, which opening finds; the one before is opened by its number', async () => {
      const name = newName()
      const first = await tested().store.open(shapeOf(name))
      await move(first, 4)
      const second = await tested().store.rebuild(shapeOf(name))
      expect(second.generation).toBe(2)
      await tested().store.open(shapeOf(name, 2))
      expect(await tested().other.known(shapeOf(name))).toEqual([1, 2])
      expect(await second.get(keysOf(['s0']))).toMatchObject({ value: [null], asOf: origin })
      expect((await tested().other.open(shapeOf(name))).generation).toBe(2)
      const again = await tested().other.open(shapeOf(name), 1)
      expect([again.generation, (await again.get([])).asOf]).toEqual([1, at(4)])
      expect(await activeOf(name)).toBe(1)
      const unknown = { code: 'project/generation-dropped', data: { projection: name, generation: 4 } }
      await expect(tested().store.open(shapeOf(name), 4)).rejects.toMatchObject(unknown)
    })

    test('one is found as it is, and nothing is made by looking for it', async () => {
      const name = newName()
      const none = { code: 'project/generation-dropped', data: { projection: name, generation: 1 } }
      await expect(tested().store.find(shapeOf(name), 1)).rejects.toMatchObject(none)
      expect(await tested().store.generations(name)).toEqual([])
      await move(await tested().store.open(shapeOf(name, 1, 3)), 4)
      // Also by a definition of which there is none.
      const found = await tested().other.find(shapeOf(name, 2), 1)
      expect([found.generation, found.shards, (await found.checkpoints()).length]).toEqual([1, 3, 3])
      expect((await found.get(keysOf(['s0']))).value).not.toContain(null)
      expect((await tested().store.generations(name)).length).toBe(1)
      await expect(tested().other.find(shapeOf(name), 2)).rejects.toMatchObject({ code: 'project/generation-dropped' })
    })

    test('a generation of another number of shards is opened as it is', async () => {
      const name = newName()
      await tested().store.open(shapeOf(name, 1, 3))
      const view = await tested().store.open(shapeOf(name, 2, 1), 1)
      expect([view.shards, (await view.checkpoints()).length]).toEqual([3, 3])
    })

    test('while one is being built, no other rebuild begins', async () => {
      const name = newName()
      await tested().store.open(shapeOf(name))
      const shapes = [1, 2, 3, 4].map(() => shapeOf(name))
      const tried = await Promise.allSettled(
        shapes.map((shape, n) => (n % 2 === 0 ? tested().store : tested().other).rebuild(shape)),
      )
      expect(tried.filter(({ status }) => status === 'fulfilled').length).toBe(1)
      for (const one of tried) {
        if (one.status === 'fulfilled') continue
        const running = { projection: name, generation: 2, followed: false }
        expect(one.reason).toMatchObject({ code: 'project/rebuild-running', data: running })
      }
      const beat = { owner: `${name}-owner`, views: [{ projection: name, generation: 2, shards: 1 }] }
      await tested().store.beat({ ...beat, leaseMs: 60_000 })
      await expect(tested().other.rebuild(shapeOf(name))).rejects.toMatchObject({ data: { followed: true } })
      expect((await tested().store.activate(name, 2)).kind).toBe('activated')
      expect((await tested().store.rebuild(shapeOf(name))).generation).toBe(3)
    })

    test('a rebuild beyond the newest that is known is made once, however late it is asked for', async () => {
      const name = newName()
      await tested().store.open(shapeOf(name))
      const shapes = [1, 2, 3, 4].map(() => shapeOf(name))
      const made = async (newest: number): Promise<number> => {
        const tried = await Promise.allSettled(
          shapes.map((shape, n) => (n % 2 === 0 ? tested().store : tested().other).rebuild(shape, newest)),
        )
        return tried.filter(({ status }) => status === 'fulfilled').length
      }
      expect(await made(1)).toBe(1)
      expect((await tested().store.activate(name, 2)).kind).toBe('activated')
      expect(await made(1)).toBe(0)
      const running = { code: 'project/rebuild-running', data: { projection: name, generation: 2 } }
      await expect(tested().other.rebuild(shapeOf(name), 1)).rejects.toMatchObject(running)
      expect(await made(2)).toBe(1)
    })

    test('one that was swapped away from by hand is set aside until it serves again, and no other one', async () => {
      const name = newName()
      await tested().store.open(shapeOf(name))
      await tested().store.open(shapeOf(name, 2))
      const asideOf = async () => (await tested().other.generations(name)).map(one => one.setAside)
      await tested().store.activate(name, 2, { byHand: false })
      expect(await asideOf()).toEqual([false, false])
      await tested().store.activate(name, 1)
      expect(await asideOf()).toEqual([false, true])
      // It serves already: nothing is swapped away from.
      await tested().store.activate(name, 1)
      expect(await asideOf()).toEqual([false, true])
      await tested().store.activate(name, 2, { byHand: false })
      expect(await asideOf()).toEqual([false, false])
    })

    test('one serves once each of its shards has reached the highest of the one that served', async () => {
      const name = newName()
      const first = await tested().store.open(shapeOf(name, 1, 2))
      const second = await tested().store.open(shapeOf(name, 2, 2))
      await move(first, 5, 0)
      await move(first, 9, 1)
      const behind = (reached: number) => ({ kind: 'behind', position: 9, reached })
      expect(await tested().store.activate(name, 2)).toEqual(behind(0))
      await move(second, 12, 0)
      await move(second, 8, 1)
      expect(await tested().other.activate(name, 2)).toEqual(behind(8))
      expect(await activeOf(name)).toBe(1)
      await move(second, 9, 1)
      expect(await tested().other.activate(name, 2)).toEqual({ kind: 'activated' })
      expect(await tested().store.activate(name, 2)).toEqual({ kind: 'activated' })
      expect(await activeOf(name)).toBe(2)
      // The way back is the same, under the same condition.
      expect(await tested().store.activate(name, 1)).toEqual({ kind: 'behind', position: 12, reached: 5 })
      await move(first, 12, 0)
      await move(first, 12, 1)
      expect(await tested().store.activate(name, 1)).toEqual({ kind: 'activated' })
      const served = (await tested().store.generations(name)).map(({ served, active }) => [served, active])
      expect(served).toEqual([
        [true, true],
        [true, false],
      ])
      expect(await tested().store.activate(name, 7)).toEqual({ kind: 'unknown' })
      expect(await tested().store.activate(newName(), 1)).toEqual({ kind: 'unknown' })
    })

    test('one with more parked keys than the one that serves does so only for those who accept them', async () => {
      const name = newName()
      const [first, second] = [await tested().store.open(shapeOf(name)), await tested().store.open(shapeOf(name, 2))]
      const letter = { ...keysOf(['s0'])[0]!, position: 4 }
      const failed = {
        code: 'project/fold-failed',
        message: 'it failed',
        attempts: 3,
        since: new Date(0).toISOString(),
      }
      const park = async (view: View): Promise<void> => {
        const { epoch, ...from } = await view.claim(0)
        const parking = {
          parked: [{ ...letter, ...failed }],
          letters: [letter],
          drained: [],
          skipped: [],
          answered: [],
        }
        const [upserts, deletes] = [[], []]
        const commit = { shard: 0, epoch, from, to: at(4), upserts, deletes, parking: { ...parking, maxEvents: 10 } }
        expect(await view.commit(commit)).toBe('committed')
      }
      await move(first, 4)
      await park(second)
      expect((await tested().other.generations(name)).map(({ parked }) => parked)).toEqual([0, 1])
      expect(await tested().other.activate(name, 2, { withParked: false })).toEqual({ kind: 'parked' })
      expect(await activeOf(name)).toBe(1)
      expect(await tested().other.activate(name, 2)).toEqual({ kind: 'activated' })
      const third = await tested().store.open(shapeOf(name, 3))
      await park(third)
      expect(await tested().store.activate(name, 3, { withParked: false })).toEqual({ kind: 'activated' })
    })

    test('what serves never goes back, however both move while they are swapped', async () => {
      const name = newName()
      const views = [await tested().store.open(shapeOf(name)), await tested().other.open(shapeOf(name, 2))]
      const goal = 300
      let ended = false
      /** One runs ahead, then the other. */
      const advance = async (view: View): Promise<void> => {
        const { epoch, ...from } = await view.claim(0)
        let last = from
        for (let to = 1; to <= goal; to++) {
          const commit = { shard: 0, epoch, from: last, to: at(to), upserts: [], deletes: [] }
          expect(await view.commit(commit)).toBe('committed')
          last = at(to)
          // Where everything is answered within microtasks, the others have their turn.
          await new Promise(resolve => setImmediate(resolve))
        }
      }
      const watch = async (): Promise<readonly number[]> => {
        const seen: number[] = []
        while (!ended) {
          const serving = (await tested().store.generations(name)).find(({ active }) => active)
          seen.push(serving?.checkpoints[0]?.position ?? Number.NaN)
          await new Promise(resolve => setImmediate(resolve))
        }
        return seen
      }
      let swaps = 0
      const swap = async (): Promise<void> => {
        for (let n = 0; !ended; n++) {
          const { kind } = await tested().other.activate(name, (n % 2) + 1)
          if (kind === 'activated') swaps++
          await new Promise(resolve => setImmediate(resolve))
        }
      }
      const moving = Promise.all(views.map(advance)).finally(() => {
        ended = true
      })
      const [seen] = await Promise.all([watch(), swap(), moving])
      expect(seen).toEqual(seen.toSorted((a, b) => a - b))
      expect(swaps).toBeGreaterThan(1)
    }, 30_000)

    test('what was dropped is gone, and its number is not used again; what serves is not dropped', async () => {
      const name = newName()
      const first = await tested().store.open(shapeOf(name))
      const second = await tested().store.rebuild(shapeOf(name))
      await move(second, 3)
      expect(await tested().store.drop(name, 1)).toBe('active')
      expect(await tested().other.drop(name, 2)).toBe('dropped')
      expect(await tested().store.drop(name, 2)).toBe('unknown')
      expect(await tested().store.activate(name, 2)).toEqual({ kind: 'unknown' })
      const gone = { code: 'project/generation-dropped', data: { projection: name, generation: 2 } }
      await expect(second.claim(0)).rejects.toMatchObject(gone)
      await expect(second.checkpoint(0)).rejects.toMatchObject(gone)
      await expect(second.checkpoints()).rejects.toMatchObject(gone)
      if (!isApart) await expect(second.load(keysOf(['s0']))).rejects.toMatchObject(gone)
      await expect(second.get(keysOf(['s0']))).rejects.toMatchObject(gone)
      const rows = second.snapshot(async ({ pages }) => {
        for await (const page of pages) expect(page).toEqual([])
      })
      await expect(rows).rejects.toMatchObject(gone)
      const commit = { shard: 0, epoch: 1, from: at(3), to: at(4), deletes: [] }
      await expect(second.commit({ ...commit, upserts: [upsert('k')] })).rejects.toMatchObject(gone)
      expect((await tested().store.generations(name)).map(({ generation }) => generation)).toEqual([1])
      expect((await tested().other.open(shapeOf(name))).generation).toBe(1)
      expect((await tested().other.rebuild(shapeOf(name))).generation).toBe(3)
      expect((await first.get([])).asOf).toEqual(origin)
    })

    test('who listens hears of a generation that is made, serves or is dropped, here and in another process', async () => {
      const name = newName()
      const [store, other] = [tested().store, tested().other]
      await store.open(shapeOf(name))
      for (const change of [
        () => other.rebuild(shapeOf(name)),
        () => other.activate(name, 2),
        () => other.drop(name, 1),
      ]) {
        const heard = new Set<number>()
        const ends = [store, other].map((one, n) => one.onGenerations(changed => changed === name && heard.add(n)))
        await change()
        await expect.poll(() => heard.size, { timeout: 20_000 }).toBe(2)
        for (const end of ends) end()
      }
    })
  })
}
