import { describe, expect, test } from 'vitest'
import type { Generation } from './generations.ts'
import {
  abandonedOf,
  candidateOf,
  carriedOf,
  isNear,
  lookedAfterOf,
  outlivedOf,
  type SeenGenerations,
  servingOf,
  standInOf,
} from './plan-generations.ts'
import type { ViewShape } from './store.ts'

const shape = { rowShape: 'now' } as ViewShape

function generation(number: number, more: Partial<Generation> & { readonly at?: readonly number[] } = {}): Generation {
  const { at = [10], ...rest } = more
  return {
    ...{ generation: number, version: number, shards: at.length, columns: [], definition: 'd', rowShape: 'now' },
    ...{
      active: false,
      served: false,
      followed: true,
      parked: 0,
      referredTo: false,
      refersTo: [],
      setAside: false,
      sums: {},
      loads: [],
    },
    checkpoints: at.map((position, shard) => ({ shard, position, fingerprint: '', epoch: 1 })),
    ...rest,
  }
}
const active = { active: true, served: true } as const
const seen = (known: readonly number[], ...all: readonly Generation[]): SeenGenerations => ({ all, known })

describe('queries are answered from', () => {
  test.each<[string, number | undefined, SeenGenerations]>([
    ['the one that serves, if its rows look the same', 1, seen([2], generation(1, active), generation(2))],
    [
      'the newest of their own definition, if not',
      3,
      seen([2, 3], generation(1, { ...active, rowShape: 'then' }), generation(2), generation(3)),
    ],
    [
      'what looks the same, where their own are gone',
      2,
      seen([], generation(2), generation(3, { ...active, rowShape: 'then' })),
    ],
    ['nothing, where nothing looks the same', undefined, seen([], generation(3, { ...active, rowShape: 'then' }))],
  ])('%s', (_, number, generations) => {
    expect(servingOf(generations, shape)).toBe(number)
  })
})

describe('what is to serve by itself', () => {
  test.each<[string, number | undefined, SeenGenerations]>([
    ['is the newest of this definition', 3, seen([2, 3], generation(1, active), generation(2), generation(3))],
    [
      'is one that has served and gave way by itself',
      2,
      seen([2], generation(1, active), generation(2, { served: true })),
    ],
    [
      'is none that was swapped away from by hand',
      undefined,
      seen([2], generation(1, active), generation(2, { served: true, setAside: true })),
    ],
    ['is none that is older than what serves', undefined, seen([1], generation(1), generation(2, active))],
    ['is none of another definition', undefined, seen([1], generation(1, active), generation(2))],
  ])('%s', (_, number, generations) => {
    expect(candidateOf(generations)?.generation).toBe(number)
  })

  test('is near, by its lowest shard and the highest of what serves', () => {
    const is = (serving: readonly number[], next: readonly number[]) => {
      const candidate = generation(2, { at: next })
      return isNear(seen([2], generation(1, { ...active, at: serving }), candidate), candidate)
    }
    expect(is([5, 2000], [1000, 9000])).toBe(true)
    expect(is([5, 2000], [999, 9000])).toBe(false)
  })
})

describe('in place of what nobody follows any more serves', () => {
  const alone = generation(3, { ...active, followed: false })
  const old = { served: true } as const
  test.each<[string, number | undefined, SeenGenerations]>([
    ['the newest of this definition that served', 1, seen([1, 2], generation(1, old), generation(2), alone)],
    ['the newest, where none did', 2, seen([1, 2], generation(1), generation(2), alone)],
    ['one that was set aside, too', 1, seen([1], generation(1, { ...old, setAside: true }), alone)],
    ['none that is followed by nobody itself', undefined, seen([1], generation(1, { ...old, followed: false }), alone)],
    [
      'none that is far behind',
      undefined,
      seen([1], generation(1, old), generation(3, { ...active, followed: false, at: [2000] })),
    ],
    ['none where it is followed', undefined, seen([1], generation(1, old), generation(3, active))],
    ['none where it is of this definition: it is followed again', undefined, seen([1, 3], generation(1, old), alone)],
  ])('%s', (_, number, generations) => {
    expect(standInOf(generations)?.generation).toBe(number)
  })
})

test('what nobody swaps back to is older than what serves, and not the last that did', () => {
  const all = [
    generation(1, { served: true }),
    generation(2),
    generation(3, { served: true }),
    generation(4, active),
    generation(5),
  ]
  expect(outlivedOf(seen([], ...all)).map(one => one.generation)).toEqual([1, 2])
  expect(outlivedOf(seen([], generation(1, active), generation(2, { served: true })))).toEqual([])
})

test('what was given up is of another definition than this one, serves nobody, and nobody carries it on', () => {
  const alone = { followed: false }
  const all = [generation(1, active), generation(2, alone), generation(3), generation(4, alone)]
  const abandoned = (known: readonly number[], ...more: readonly Generation[]) =>
    abandonedOf(seen(known, ...all, ...more)).map(one => one.generation)
  expect(abandoned([1])).toEqual([2, 4])
  expect(abandoned([1, 4])).toEqual([2])
  // Two were swapped away from by hand: the last of them may serve again.
  const [five, six] = [5, 6].map(number => generation(number, { ...alone, served: true }))
  expect(abandoned([1], five!, six!)).toEqual([2, 4, 5])
})

test('parked keys are looked after where somebody carries them on, or it is this release that would', () => {
  const [then, alone] = [{ rowShape: 'then' }, { followed: false }]
  const after = (known: readonly number[], ...all: readonly Generation[]) => lookedAfterOf(seen(known, ...all), shape)
  const [one, two, three] = [generation(1, { served: true, ...alone }), generation(2, active), generation(3, alone)]
  expect(after([1, 2], one, two, three)).toEqual([2, 1])
  expect(after([1, 2, 3], one, two, three, generation(4, then))).toEqual([2, 4, 3, 1])
  // The one that answers here comes first, also where another release's serves.
  expect(after([1], one, generation(2, { ...active, ...then, ...alone }), three)).toEqual([1, 2])
})

test('a process carries on what is of its definition, but for what nobody needs any more', () => {
  const [one, two] = [generation(1, { served: true }), generation(2, { served: true })]
  const carried = (known: readonly number[], ...all: readonly Generation[]) => carriedOf(seen(known, ...all), shape)
  expect(carried([1, 2, 3, 4], one, two, generation(3, active), generation(4))).toEqual([2, 3, 4])
  expect(carried([1], one, two, generation(3, active))).toEqual([])
  // An old release, of which it is the only one that has its rows.
  expect(carried([1], one, two, generation(3, { ...active, rowShape: 'then' }))).toEqual([1])
  expect(carried([1, 2, 3], { ...one, referredTo: true }, two, generation(3, active))).toEqual([1, 2, 3])
})
