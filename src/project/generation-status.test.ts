import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { projection } from '../define/index.ts'
import { statusOf } from './generation-status.ts'
import type { Generation } from './generations.ts'
import type { CarriedStatus, GenerationStatus, ShardStatus } from './status.ts'
import { viewShapeOf } from './view-shape.ts'

const shape = viewShapeOf(projection('notes', { from: [], shards: 3, state: z.object({}), on: {} }))
const head = 1000

function progressOf(stored: Partial<Generation>, shards?: readonly ShardStatus[]): GenerationStatus['progress'] {
  const generation: Generation = {
    ...{ generation: 2, version: 1, shards: 3, columns: [], definition: '', rowShape: '', parked: 0, loads: [] },
    ...{ active: false, served: false, setAside: false, sums: {}, followed: true, referredTo: false, refersTo: [] },
    checkpoints: [0, 1, 2].map(shard => ({ shard, epoch: 1, position: 0, fingerprint: '' })),
    ...stored,
  }
  const carried: CarriedStatus | undefined = shards && {
    ...{ projection: 'notes', generation: 2, state: 'catching-up', position: 0, shards },
  }
  const seen = { all: [generation], known: [2] }
  const context = { shape, serving: 1, head, isPaused: false, watches: new Map() }
  return statusOf(seen, { ...context, carried: one => (one === 2 ? carried : undefined) }).generations[0]?.progress
}
const at = (...positions: readonly number[]) => ({
  checkpoints: positions.map((position, shard) => ({ shard, epoch: 1, position, fingerprint: '' })),
})
const load = (shard: number, position: number, perSecond: number) => ({ shard, position, perSecond, goal: head })
const own = (shard: number, position: number, perSecond?: number): ShardStatus => ({
  ...{ shard, state: perSecond === undefined ? 'live' : 'catching-up', position },
  ...(perSecond !== undefined && { catchUp: { position, perSecond } }),
})
const others = (shard: number): ShardStatus => ({ shard, state: 'standby', owner: 'another', position: 0 })

describe('a generation whose shards are divided between processes is as far as the lowest of all', () => {
  test('where others tell how far they have loaded theirs', () => {
    const loads = [load(0, 500, 100), load(1, 160, 40), load(2, 300, 40)]
    const progress = { position: 160, perSecond: 40, percent: 16, leftMs: 21_000 }
    expect(progressOf({ loads }, [own(0, 900, 100), others(1), others(2)])).toEqual(progress)
    // One that has loaded its own knows better than what is kept of that.
    expect(progressOf({ ...at(1000, 0, 0), loads }, [own(0, 1000), others(1), others(2)])).toEqual(progress)
    expect(progressOf({ loads })).toEqual({ ...progress })
  })

  test('where they do not, as fast as the slowest that is known', () => {
    const shards = [own(0, 900, 200), others(1), own(2, 800, 100)]
    expect(progressOf(at(0, 400, 0), shards)).toEqual({ position: 400, perSecond: 100, percent: 40, leftMs: 6000 })
  })

  test('and is at no progress where none catches up', () => {
    expect(progressOf(at(1000, 1000, 1000), [own(0, 1000), own(1, 1000), others(2)])).toBeUndefined()
  })
})
