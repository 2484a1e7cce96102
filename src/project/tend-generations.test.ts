import { expect, test } from 'vitest'
import { z } from 'zod'
import { projection } from '../define/index.ts'
import { systemRuntime } from '../log/index.ts'
import type { Generation } from './generations.ts'
import { defaultRebuildLimits } from './limits.ts'
import type { SeenGenerations } from './plan-generations.ts'
import { tendGenerations } from './tend-generations.ts'
import { viewShapeOf } from './view-shape.ts'

test('one that cannot be dropped now is tried again after as long, and not with each look', async () => {
  const one = (generation: number): Generation => ({
    ...{ generation, version: 1, shards: 1, columns: [], definition: '', rowShape: '', parked: 0, loads: [] },
    ...{
      active: generation === 3,
      served: true,
      followed: false,
      referredTo: false,
      refersTo: [],
      setAside: false,
      sums: {},
    },
    checkpoints: [{ shard: 0, epoch: 1, position: 0, fingerprint: '' }],
  })
  const seen: SeenGenerations = { all: [one(1), one(2), one(3)], known: [3] }
  let nowMs = 0
  let look = (_: SeenGenerations): void => undefined
  const tried: number[] = []
  const end = tendGenerations({
    store: {
      drop: async (_: string, generation: number) => {
        expect(generation).toBe(1)
        tried.push(nowMs)
        return 'in-use'
      },
    } as never,
    watch: {
      shape: viewShapeOf(projection('notes', { from: [], state: z.object({}), on: {} })),
      onSeen: (listener: typeof look) => {
        look = listener
        return () => undefined
      },
    } as never,
    watches: new Map(),
    runtime: { ...systemRuntime, elapsed: () => nowMs },
    limits: { ...defaultRebuildLimits, retireAfterMs: 100 },
  })
  for (; nowMs <= 400; nowMs += 10) {
    look(seen)
    await systemRuntime.turn()
  }
  await end()
  expect(tried).toEqual([100, 210, 320])
})

test('however many looks come behind a slow swap, only the newest is acted on', async () => {
  const one = (generation: number, position: number): Generation => ({
    ...{
      generation,
      version: 1,
      shards: 1,
      columns: [],
      definition: '',
      rowShape: '',
      sums: {},
      parked: 0,
      loads: [],
      refersTo: [],
    },
    ...{ active: generation === 1, served: generation === 1, followed: true, referredTo: false, setAside: false },
    checkpoints: [{ shard: 0, epoch: 1, position, fingerprint: '' }],
  })
  let look = (_: SeenGenerations): void => undefined
  let answer = (): void => undefined
  let swaps = 0
  const end = tendGenerations({
    store: {
      activate: async () => {
        swaps++
        await new Promise<void>(resolve => {
          answer = resolve
        })
        return { kind: 'behind', position: 5, reached: 4 }
      },
    } as never,
    watch: {
      shape: viewShapeOf(projection('notes', { from: [], state: z.object({}), on: {} })),
      onSeen: (listener: typeof look) => {
        look = listener
        return () => undefined
      },
    } as never,
    watches: new Map(),
    runtime: systemRuntime,
    limits: defaultRebuildLimits,
  })
  for (let n = 0; n < 50; n++) look({ all: [one(1, 5), one(2, 4)], known: [1, 2] })
  for (let n = 0; n < 60; n++) {
    answer()
    await systemRuntime.turn()
  }
  await end()
  expect(swaps).toBe(2)
})
