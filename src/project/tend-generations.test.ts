import { expect, test } from 'vitest'
import { z } from 'zod'
import { projection } from '../define/index.ts'
import { systemRuntime } from '../log/index.ts'
import type { Generation } from './generations.ts'
import { defaultRebuildLimits } from './limits.ts'
import type { SeenGenerations } from './plan-generations.ts'
import type { ViewShape } from './store.ts'
import { type TendOptions, tendGenerations } from './tend-generations.ts'
import { viewShapeOf } from './view-shape.ts'

const generationOf = (generation: number, more: Partial<Generation>): Generation => ({
  ...{ generation, version: 1, shards: 1, columns: [], definition: '', rowShape: '', parked: 0, loads: [] },
  ...{ active: false, served: true, followed: false, referredTo: false, refersTo: [], setAside: false, sums: {} },
  checkpoints: [{ shard: 0, epoch: 1, position: 0, fingerprint: '' }],
  ...more,
})
const Notes = projection('notes', { from: [], state: z.object({}), on: {} })

/** What tends a view whose store can no more than this, and how it is told what was looked at. */
function tending(store: Readonly<Record<string, unknown>>, { shape = viewShapeOf(Notes), ...more }: Tending = {}) {
  let newest: SeenGenerations = { all: [], known: [] }
  let saw = (_: SeenGenerations): void => undefined
  const watch = {
    shape,
    seen: () => newest,
    onSeen: (listener: typeof saw) => {
      saw = listener
      return () => undefined
    },
  }
  const stop = tendGenerations({
    ...{ store: store as never, watch: watch as never, watches: new Map() },
    ...{ runtime: systemRuntime, limits: defaultRebuildLimits },
    ...more,
  })
  const look = (seen: SeenGenerations): void => {
    newest = seen
    saw(seen)
  }
  return { look, stop }
}
type Tending = Partial<Omit<TendOptions, 'store' | 'watch'>> & { readonly shape?: ViewShape }

/** The first serves, at 5; the second is to, and has come to 4. */
const oneBehind: SeenGenerations = {
  all: [5, 4].map((position, at) =>
    generationOf(at + 1, {
      ...{ active: at === 0, served: at === 0, followed: true },
      checkpoints: [{ shard: 0, epoch: 1, position, fingerprint: '' }],
    }),
  ),
  known: [1, 2],
}

test('one that cannot be dropped now is tried again after as long, and not with each look', async () => {
  const one = (generation: number): Generation => generationOf(generation, { active: generation === 3 })
  const seen: SeenGenerations = { all: [one(1), one(2), one(3)], known: [3] }
  let nowMs = 0
  const tried: number[] = []
  const drop = async (_: string, generation: number) => {
    expect(generation).toBe(1)
    tried.push(nowMs)
    return 'in-use'
  }
  const { look, stop } = tending(
    { drop },
    {
      runtime: { ...systemRuntime, elapsed: () => nowMs },
      limits: { ...defaultRebuildLimits, retireAfterMs: 100 },
    },
  )
  for (; nowMs <= 400; nowMs += 10) {
    look(seen)
    await systemRuntime.turn()
  }
  await stop()
  expect(tried).toEqual([100, 210, 320])
})

test('however many looks come behind a slow swap, only the newest is acted on', async () => {
  let answer = (): void => undefined
  let swaps = 0
  const activate = async () => {
    swaps++
    await new Promise<void>(resolve => {
      answer = resolve
    })
    return { kind: 'behind', position: 5, reached: 4 }
  }
  // It takes no time, as others see it.
  const { look, stop } = tending({ activate }, { runtime: { ...systemRuntime, elapsed: () => 0 } })
  for (let n = 0; n < 50; n++) look(oneBehind)
  for (let n = 0; n < 60; n++) {
    answer()
    await systemRuntime.turn()
  }
  await stop()
  expect(swaps).toBe(2)
})

test('after a swap that held the one that serves in vain, that is left alone for four times as long', async () => {
  let nowMs = 0
  const begun: number[] = []
  const activate = async () => {
    begun.push(nowMs)
    nowMs += 100
    return { kind: 'behind', position: 5, reached: 4 }
  }
  const { look, stop } = tending({ activate }, { runtime: { ...systemRuntime, elapsed: () => nowMs } })
  while (nowMs < 1500) {
    look(oneBehind)
    await systemRuntime.turn()
    nowMs += 20
  }
  await stop()
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
  const store = {
    generations: async () => notes(serving),
    rebuild: async () => {
      rebuilt++
    },
  }
  const ofNotes = { seen: () => ({ all: notes(1), known: [1, 2] }), onSeen: () => () => undefined }
  const { look, stop } = tending(store, {
    shape: viewShapeOf(Shelves, [Shelves, Notes]),
    watches: new Map([['notes', ofNotes as never]]),
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
  await stop()
})
