import { describe, expect, test } from 'vitest'
import { origin } from '../log/index.ts'
import type { StoreUnderTest } from './store.contract.ts'
import type { View } from './store.ts'
import { at, gone, keysOf, newName, rowsIn, things, upsert } from './things.contract.ts'
import { viewShapeOf } from './view-shape.ts'

/** What a view store must hold whose rows are in a store without transactions. */
export function apartContract(tested: () => StoreUnderTest): void {
  const open = (name = newName()): Promise<View> => tested().store.open(viewShapeOf(things(name)))
  const refusal = (purpose: RegExp) => ({ code: 'project/needs-transactions', message: expect.stringMatching(purpose) })

  describe('rows apart from their checkpoint', () => {
    test('views that need them in its transaction are refused, and nothing is made', async () => {
      const projection = things()
      const rollups = { sizes: { by: () => 'all', sum: () => ({ things: 1 }) } }
      const shapes = [
        [viewShapeOf({ ...projection, rollups }), /a rollup/],
        [{ ...viewShapeOf(projection), past: true }, /the views that refer to them/],
        [viewShapeOf({ ...projection, commit: 'with-append' }), /committing with the append/],
      ] as const
      for (const [shape, purpose] of shapes) {
        await expect(tested().store.open(shape)).rejects.toMatchObject(refusal(purpose))
        await expect(tested().store.rebuild(shape)).rejects.toMatchObject(refusal(purpose))
      }
      expect(await tested().other.generations(projection.name)).toEqual([])
    })

    test('a generation is not emptied: one is built beside it', async () => {
      const view = await open()
      const { epoch } = await view.claim(0)
      await view.commit({ shard: 0, epoch, from: origin, to: at(1), upserts: [upsert('a')], deletes: [] })
      await expect(tested().store.reset(view.projection, 1)).rejects.toMatchObject(refusal(/rebuild it instead/))
      expect(await view.checkpoint(0)).toEqual({ ...at(1), epoch })
      expect((await view.get(keysOf(['a']))).value).not.toContain(null)
    })

    test('a row that is ahead is written over under a later epoch, and not under an earlier one', async () => {
      const view = await open()
      expect(view.mayBeAhead).toBe(true)
      const zombie = await view.claim(0)
      const late = { shard: 0, epoch: zombie.epoch, from: origin, upserts: [upsert('a', { size: 9 }, 9)], deletes: [] }
      // As of position 9, and then not committed: a crash in between.
      await view.commit({
        ...late,
        to: at(9),
        parking: { ...nothing, letters: keysOf(['b']).map(b => ({ ...b, position: 9 })) },
      })
      expect(await view.checkpoint(0)).toEqual({ ...origin, epoch: zombie.epoch })
      const ahead = await view.load(keysOf(['a']))
      expect([...ahead.values()]).toMatchObject([{ position: 9, madeAt: 9 }])
      const { epoch } = await tested()
        .other.open(viewShapeOf(things(view.projection)))
        .then(other => other.claim(0))
      const next = { shard: 0, epoch, from: origin, to: at(4), deletes: gone(3, 'c') }
      expect(await view.commit({ ...next, upserts: [upsert('a', { size: 4 }, 4)] })).toBe('committed')
      expect(await view.commit({ ...late, to: at(9) })).toBe('fenced')
      expect((await view.get(keysOf(['a', 'c']))).value.map(doc => doc && JSON.parse(doc).size)).toEqual([4, null])
      expect([...(await view.load(keysOf(['c']))).values()]).toEqual([{ position: 3, madeAt: 4, doc: null }])
      expect((await rowsIn(view, keysOf(['c']))).size).toBe(0)
    })

    test('rows of a generation that was dropped go, also where whoever dropped it has died in between', async () => {
      const name = newName()
      await open(name)
      const second = await tested().store.rebuild(viewShapeOf(things(name)))
      expect(second.generation).toBe(2)
      expect(await tested().store.drop(name, 2)).toBe('dropped')
      expect(await tested().store.drop(name, 2)).toBe('unknown')
    })
  })
}

/** A commit with one letter more than there may be is refused after its rows are written. */
const nothing = { parked: [], drained: [], skipped: [], answered: [], maxEvents: 0 }
