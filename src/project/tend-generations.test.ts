import { expect, test } from 'vitest'
import { z } from 'zod'
import { projection } from '../define/index.ts'
import { systemRuntime } from '../log/index.ts'
import type { Generation } from './generations.ts'
import { defaultRebuildLimits } from './limits.ts'
import type { SeenGenerations } from './plan-generations.ts'
import { tendGenerations } from './tend-generations.ts'
import { viewShapeOf } from './view-shape.ts'

const generationOf = (generation: number, more: Partial<Generation>): Generation => ({
  ...{ generation, version: 1, shards: 1, columns: [], definition: '', rowShape: '', parked: 0, loads: [] },
  ...{ active: false, served: true, followed: false, referredTo: false, refersTo: [], setAside: false, sums: {} },
  checkpoints: [{ shard: 0, epoch: 1, position: 0, fingerprint: '' }],
  ...more,
})
const Notes = projection('notes', { from: [], state: z.object({}), on: {} })

test('one that cannot be dropped now is tried again after as long, and not with each look', async () => {
  const one = (generation: number): Generation => generationOf(generation, { active: generation === 3 })
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
      shape: viewShapeOf(Notes),
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
  const one = (generation: number, position: number): Generation =>
    generationOf(generation, {
      ...{ active: generation === 1, served: generation === 1, followed: true },
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
      shape: viewShapeOf(Notes),
      onSeen: (listener: typeof look) => {
        look = listener
        return () => undefined
      },
    } as never,
    watches: new Map(),
    // It takes no time, as others see it.
    runtime: { ...systemRuntime, elapsed: () => 0 },
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

test('after a swap that held the one that serves in vain, that is left alone for four times as long', async () => {
  const one = (generation: number, position: number): Generation =>
    generationOf(generation, {
      ...{ active: generation === 1, served: generation === 1, followed: true },
      checkpoints: [{ shard: 0, epoch: 1, position, fingerprint: '' }],
    })
  let nowMs = 0
  let look = (_: SeenGenerations): void => undefined
  const begun: number[] = []
  const end = tendGenerations({
    store: {
      activate: async () => {
        begun.push(nowMs)
        nowMs += 100
        return { kind: 'behind', position: 5, reached: 4 }
      },
    } as never,
    watch: {
      shape: viewShapeOf(Notes),
      onSeen: (listener: typeof look) => {
        look = listener
        return () => undefined
      },
    } as never,
    watches: new Map(),
    runtime: { ...systemRuntime, elapsed: () => nowMs },
    limits: defaultRebuildLimits,
  })
  while (nowMs < 1500) {
    look({ all: [one(1, 5), one(2, 4)], known: [1, 2] })
    await systemRuntime.turn()
    nowMs += 20
  }
  await end()
  expect(begun).toEqual([0, 500, 1000])
})

test('nothing is built for a view to which rows refer that was seen a moment too early', async () => {
  const Shelves = projection('shelves', {
    ...{ from: [], state: z.object({ note: z.string() }), on: {} },
    refs: { note: { to: Notes, key: ({ note }) => note } },
    row: z.object({ note: z.string() }),
    present: shelf => shelf,
  })
  const notes = (serving: number): readonly Generation[] =>
    [1, 2].map(generation => generationOf(generation, { active: generation === serving }))
  let serving = 2
  let rebuilt = 0
  let look = (_: SeenGenerations): void => undefined
  const end = tendGenerations({
    store: {
      generations: async () => notes(serving),
      rebuild: async () => {
        rebuilt++
      },
    } as never,
    watch: {
      shape: viewShapeOf(Shelves, [Shelves, Notes]),
      onSeen: (listener: typeof look) => {
        look = listener
        return () => undefined
      },
      seen: () => seen,
    } as never,
    watches: new Map([
      ['notes', { seen: () => ({ all: notes(1), known: [1, 2] }), onSeen: () => () => undefined } as never],
    ]),
    runtime: systemRuntime,
    limits: defaultRebuildLimits,
  })
  const seen: SeenGenerations = {
    all: [generationOf(1, { active: true, refersTo: [{ projection: 'notes', generation: 2 }] })],
    known: [1],
  }
  look(seen)
  await systemRuntime.turn()
  expect(rebuilt).toBe(0)
  serving = 1
  look(seen)
  await systemRuntime.turn()
  expect(rebuilt).toBe(1)
  await end()
})
