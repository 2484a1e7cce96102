import { describe, expect, test } from 'vitest'
import type { Generation } from './generations.ts'
import type { SeenGenerations } from './plan-generations.ts'
import { needlessBuildOf, needsRebuild, supersededRefOf } from './plan-references.ts'

function generation(number: number, more: Partial<Generation> = {}): Generation {
  return {
    ...{
      generation: number,
      version: 1,
      shards: 1,
      columns: [],
      definition: '',
      rowShape: '',
      checkpoints: [],
      loads: [],
    },
    ...{
      active: false,
      served: true,
      followed: true,
      parked: 0,
      referredTo: false,
      refersTo: [],
      setAside: false,
      sums: {},
    },
    ...more,
  }
}
const active = { active: true } as const
const to = (number: number) => ({ refersTo: [{ projection: 'names', generation: number }] })
const seen = (known: readonly number[], ...all: readonly Generation[]): SeenGenerations => ({ all, known })
const names = (known: readonly number[], serving: number) =>
  new Map([['names', seen(known, ...[1, 2].map(number => generation(number, { active: number === serving })))]])
const superseded = { generation: 1, referred: 'names', superseded: 1, serving: 2 }

describe('one more generation is built', () => {
  test('where another one of the view referred to serves, of the same definition', () => {
    const own = seen([1], generation(1, { ...active, ...to(1) }))
    expect(supersededRefOf(own, names([1, 2], 2))).toEqual(superseded)
    expect(needsRebuild(own, names([1, 2], 2))).toBe(true)
    expect(supersededRefOf(own, names([1, 2], 1))).toBeUndefined()
    expect(needsRebuild(own, names([1], 2))).toBe(false)
  })

  test.each<[string, SeenGenerations]>([
    [
      'while one is being built',
      seen([1, 2], generation(1, { ...active, ...to(1) }), generation(2, { served: false })),
    ],
    [
      'while another release builds one',
      seen([1], generation(1, { ...active, ...to(1) }), generation(2, { served: false })),
    ],
    [
      'where one that is right was swapped away from by hand',
      seen([1, 2], generation(1, { ...active, ...to(1) }), generation(2, to(2))),
    ],
  ])('not %s, which is told all the same', (_, own) => {
    expect(needsRebuild(own, names([1, 2], 2))).toBe(false)
    expect(supersededRefOf(own, names([1, 2], 2))).toEqual(superseded)
  })

  test('in place of one that is being built with what does not serve any more, where another one serves', () => {
    const building = generation(2, { served: false, ...to(1) })
    const own = seen([1, 2], generation(1, { ...active, ...to(1) }), building)
    expect(needlessBuildOf(own, names([1, 2], 2))).toBe(2)
    expect(needlessBuildOf(own, names([1, 2], 1))).toBeUndefined()
    expect(needlessBuildOf(seen([2], generation(1, active), building), names([1, 2], 2))).toBeUndefined()
    const right = generation(2, { served: false, ...to(2) })
    expect(
      needlessBuildOf(seen([1, 2], generation(1, { ...active, ...to(1) }), right), names([1, 2], 2)),
    ).toBeUndefined()
  })

  test('not for a release that another one has taken the place of', () => {
    expect(needsRebuild(seen([1], generation(1, to(1)), generation(2, active)), names([1, 2], 2))).toBe(false)
  })
})
