import { describe, expect, test } from 'vitest'
import { origin } from '../log/index.ts'
import type { StoreUnderTest } from './store.contract.ts'
import type { View } from './store.ts'
import { at, keysOf, newName, things, upsert } from './things.contract.ts'
import { viewShapeOf } from './view-shape.ts'

/** What every view store must hold of views with several shards. */
export function shardsContract(tested: () => StoreUnderTest): void {
  describe('shards', () => {
    const open = (name = newName(), shards = 3): Promise<View> =>
      tested().store.open(viewShapeOf(things(name, 1, shards)))

    async function move(view: View, shard: number, to: number): Promise<void> {
      const { epoch, ...from } = await view.claim(shard)
      const upserts = [upsert(`s${shard}`, {}, to)]
      expect(await view.commit({ shard, epoch, from, to: at(to), upserts, deletes: [] })).toBe('committed')
    }

    test('each stands by itself, and the view stands where the lowest does', async () => {
      const view = await open()
      expect(view.shards).toBe(3)
      expect(await view.checkpoints()).toEqual([0, 1, 2].map(shard => ({ shard, ...origin, epoch: 0 })))
      await move(view, 1, 5)
      await move(view, 2, 9)
      await move(view, 0, 12)
      expect(await view.checkpoints()).toEqual(
        [12, 5, 9].map((position, shard) => ({ shard, ...at(position), epoch: 1 })),
      )
      expect(await view.checkpoint(2)).toEqual({ ...at(9), epoch: 1 })
      const { asOf, shards, value } = await view.get(keysOf(['s2', 's0', 'none']))
      expect(asOf).toEqual(at(5))
      expect(shards).toEqual([12, 5, 9].map(at))
      expect(value.map(doc => doc !== null)).toEqual([true, true, false])
      const scan = { tenant: 'default', index: ['name'], equal: [], range: {}, order: 'asc', limit: 10 } as const
      const listed = await view.list(scan)
      expect(listed.asOf).toEqual(at(5))
      expect(listed.value.map(({ key }) => key)).toEqual(['s0', 's1', 's2'])
      const native = await view.native?.run('default', new Map(), async () => 'read')
      expect(native ?? { value: 'read', asOf: at(5) }).toEqual({ value: 'read', asOf: at(5) })
    })

    test('whoever takes one over fences nobody of another', async () => {
      const view = await open()
      const [first, second] = [await view.claim(0), await view.claim(1)]
      await view.claim(0)
      const commit = { from: origin, to: at(1), upserts: [upsert('k')], deletes: [] }
      expect(await view.commit({ ...commit, shard: 0, epoch: first.epoch })).toBe('fenced')
      expect(await view.commit({ ...commit, shard: 1, epoch: second.epoch })).toBe('committed')
      expect((await view.checkpoints()).map(({ epoch }) => epoch)).toEqual([2, 1, 0])
    })

    test('another number of them makes a generation beside it, and the same number finds its own again', async () => {
      const name = newName()
      const opened = [await open(name, 1), await open(name, 4), await open(name, 2), await open(name, 4)]
      expect(opened.map(({ generation }) => generation)).toEqual([1, 2, 3, 2])
      expect(opened.map(({ shards }) => shards)).toEqual([1, 4, 2, 4])
      expect((await (opened[1] as View).checkpoints()).length).toBe(4)
    })

    test('sixty-four of them are read in their order', async () => {
      const view = await open(newName(), 64)
      await move(view, 63, 2)
      await move(view, 10, 3)
      const { shards, asOf } = await view.get([])
      expect(shards.map(({ position }, shard) => (position === 0 ? 0 : shard)).filter(Boolean)).toEqual([10, 63])
      expect(asOf).toEqual(origin)
      expect((await view.checkpoints())[10]).toEqual({ shard: 10, ...at(3), epoch: 1 })
    })
  })
}
