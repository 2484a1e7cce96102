import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { type AnyProjection, projection } from '../define/index.ts'
import { defaultTenant, origin } from '../log/index.ts'
import type { RollupGroup, RollupSum, StoredSum } from './rollup-store.ts'
import type { StoreUnderTest } from './store.contract.ts'
import type { Scan, View } from './store.ts'
import { at, newName, oddStrings, Things, upsert } from './things.contract.ts'
import { viewShapeOf } from './view-shape.ts'

const rollup = { by: () => null, sum: () => ({ rows: 1 }) }

function summed(name = newName(), rollups: object = { perKind: rollup, perDay: rollup }, shards = 1): AnyProjection {
  const state = z.object({ n: z.int() })
  return projection(name, { from: [Things], state, on: {}, shards, rollups: rollups as never })
}

/** How one row joins or leaves a group. */
function change(
  group: string,
  sums: Readonly<Record<string, number | bigint>> = {},
  sign: 1 | -1 = 1,
  tenant = defaultTenant,
  name = 'perKind',
): RollupSum[] {
  const of = { rollup: name, tenant, group, rows: sign }
  const own = Object.entries(sums).map(([sum, value]) => ({ ...of, sum, value: BigInt(value) * BigInt(sign) }))
  return [{ ...of, sum: '', value: 0n }, ...own]
}

const group = (name: string, sums: Readonly<Record<string, number | bigint>>): RollupGroup => ({
  group: name,
  sums: Object.entries(sums).map(([sum, value]) => [sum, BigInt(value)]),
})
const keys = (...groups: readonly string[]) => groups.map(key => ({ tenant: defaultTenant, key }))

/** What every view store must hold of sums over rows. */
export function rollupsContract(tested: () => StoreUnderTest): void {
  const open = (definition: AnyProjection): Promise<View> => tested().store.open(viewShapeOf(definition))

  /** Adds one commit after the other to a new view. */
  async function viewWith(...changes: readonly (readonly RollupSum[])[]): Promise<View> {
    const view = await open(summed())
    const { epoch } = await view.claim(0)
    for (const [n, rollups] of changes.entries()) {
      const commit = { shard: 0, epoch, from: at(n), to: at(n + 1), upserts: [], deletes: [], rollups }
      expect(await view.commit(commit)).toBe('committed')
    }
    return view
  }
  const listed = async (view: View, scan: Partial<Scan> = {}): Promise<readonly string[]> => {
    const whole: Scan = {
      tenant: defaultTenant,
      index: ['group'],
      equal: [],
      range: {},
      order: 'asc',
      limit: 100,
      ...scan,
    }
    return (await view.rollups.list('perKind', whole)).value.map(one => one.group)
  }
  async function allOf(view: View): Promise<readonly StoredSum[]> {
    const seen: StoredSum[] = []
    await view.snapshot(async ({ sums }) => {
      for await (const page of sums) seen.push(...page)
    })
    return seen
  }

  describe('rollups', () => {
    test('begin without groups', async () => {
      const view = await open(summed())
      expect(await view.rollups.get('perKind', keys('a', 'b'))).toEqual({ value: [null, null], asOf: origin })
      expect(await listed(view)).toEqual([])
      expect(await allOf(view)).toEqual([])
    })

    test('add up commit by commit, each rollup and tenant by itself', async () => {
      const view = await viewWith(
        [...change('a', { n: 1, size: 10 }), ...change('a', { n: 7 }, 1, 'other'), ...change('b', { n: 3 })],
        [...change('a', { n: 2, size: -30 }), ...change('a', { n: 50 }, 1, defaultTenant, 'perDay')],
      )
      const { value, asOf } = await view.rollups.get('perKind', [
        ...keys('b', 'a', 'none'),
        { tenant: 'other', key: 'a' },
      ])
      expect(value).toEqual([group('b', { n: 3 }), group('a', { n: 3, size: -20 }), null, group('a', { n: 7 })])
      expect(asOf).toEqual(at(2))
      expect((await view.rollups.get('perDay', keys('a'))).value).toEqual([group('a', { n: 50 })])
      expect(await listed(view)).toEqual(['a', 'b'])
      expect(await listed(view, { tenant: 'other' })).toEqual(['a'])
    })

    test('a group that has no row any more is gone, and so is a sum to which no row adds', async () => {
      const view = await viewWith(
        [...change('a', { n: 1, extra: 5 }), ...change('b', { n: 0 })],
        [...change('a', { n: 2 }), ...change('b', { n: 0 }, -1)],
        change('a', { n: 1, extra: 5 }, -1),
      )
      expect((await view.rollups.get('perKind', keys('a', 'b'))).value).toEqual([group('a', { n: 2 }), null])
      expect(await listed(view)).toEqual(['a'])
      expect((await allOf(view)).map(({ sum, rows, value }) => [sum, rows, value])).toEqual([
        ['', 1, 0n],
        ['n', 1, 2n],
      ])
    })

    test('a sum of zero is one, and a group without sums is one', async () => {
      const view = await viewWith([...change('zero', { n: 5 }), ...change('empty')], change('zero', { n: -5 }))
      expect((await view.rollups.get('perKind', keys('zero', 'empty'))).value).toEqual([
        group('zero', { n: 0 }),
        group('empty', {}),
      ])
    })

    test('are exact, whatever their size', async () => {
      const most = Number.MAX_SAFE_INTEGER
      const view = await viewWith(
        change('a', { n: most }),
        change('a', { n: most }),
        change('a', { n: BigInt(most) * 10_000n }),
      )
      expect((await view.rollups.get('perKind', keys('a'))).value).toEqual([group('a', { n: BigInt(most) * 10_002n })])
    })

    test('are those of all shards, as of the lowest one', async () => {
      const view = await open(summed(undefined, undefined, 3))
      for (const shard of [0, 2]) {
        const { epoch } = await view.claim(shard)
        const rollups = [...change('a', { n: 10 + shard }), ...change(`only-${shard}`, { n: 1 })]
        await view.commit({ shard, epoch, from: origin, to: at(shard + 1), upserts: [], deletes: [], rollups })
      }
      const read = await view.rollups.get('perKind', keys('a', 'only-2'))
      expect(read).toEqual({ value: [group('a', { n: 22 }), group('only-2', { n: 1 })], asOf: origin })
      expect(await listed(view)).toEqual(['a', 'only-0', 'only-2'])
      expect((await allOf(view)).map(sum => [sum.group, sum.sum, sum.shard, sum.value])).toEqual([
        ['a', '', 0, 0n],
        ['a', '', 2, 0n],
        ['a', 'n', 0, 10n],
        ['a', 'n', 2, 12n],
        ['only-0', '', 0, 0n],
        ['only-0', 'n', 0, 1n],
        ['only-2', '', 2, 0n],
        ['only-2', 'n', 2, 1n],
      ])
    })

    test('a commit that is fenced adds nothing', async () => {
      const view = await viewWith(change('a', { n: 1 }))
      const stale = { shard: 0, epoch: 1, from: origin, to: at(9), upserts: [upsert('k')], deletes: [] }
      const rollups = change('a', { n: 100 })
      expect(await view.commit({ ...stale, rollups })).toBe('fenced')
      expect(await view.commit({ ...stale, from: at(1), epoch: 7, rollups })).toBe('fenced')
      expect((await view.rollups.get('perKind', keys('a'))).value).toEqual([group('a', { n: 1 })])
    })

    test('groups are listed in order, in ranges, and from one on', async () => {
      const names = ['a', 'B', 'c', 'ü', '\uffee', '\u{1f600}']
      const inOrder = ['B', 'a', 'c', 'ü', '\uffee', '\u{1f600}']
      const view = await viewWith(names.flatMap(name => change(name, { n: 1, size: 2 })))
      expect(await listed(view)).toEqual(inOrder)
      expect(await listed(view, { order: 'desc', limit: 2 })).toEqual(inOrder.toReversed().slice(0, 2))
      expect(await listed(view, { range: { gt: 'B', lte: 'ü' } })).toEqual(['a', 'c', 'ü'])
      expect(await listed(view, { range: { gte: 'B', lt: 'c' } })).toEqual(['B', 'a'])
      expect(await listed(view, { equal: ['c'] })).toEqual(['c'])
      expect(await listed(view, { after: { values: ['a'], key: 'a' }, limit: 2 })).toEqual(['c', 'ü'])
      expect(await listed(view, { order: 'desc', after: { values: ['c'], key: 'c' } })).toEqual(['a', 'B'])
    })

    test('any text can be a group', async () => {
      const names = [...new Set(oddStrings.map(text => text.slice(0, 500) || 'empty'))]
      const view = await viewWith(names.flatMap(name => change(name, { n: 1 })))
      expect((await view.rollups.get('perKind', keys(...names))).value).toEqual(
        names.map(name => group(name, { n: 1 })),
      )
      const gone = await viewWith(
        names.flatMap(name => change(name, { n: 1 })),
        names.flatMap(name => change(name, { n: 1 }, -1)),
      )
      expect(await listed(gone)).toEqual([])
    })

    test('of other names make a generation beside it, and so do rows without them', async () => {
      const name = newName()
      const opened = [
        await open(summed(name)),
        await open(summed(name, { perKind: rollup })),
        await open(summed(name, { perDay: rollup, perKind: rollup })),
        await open(summed(name, {})),
      ]
      expect(opened.map(({ generation }) => generation)).toEqual([1, 2, 1, 3])
    })

    test('are loaded in bulk with their rows, and are asked for when all of these were read', async () => {
      const view = await open(summed())
      const { epoch } = await view.claim(0)
      const sums: RollupSum[] = []
      async function* pages() {
        sums.push(...change('a', { n: 5 }), ...change('b', { n: 1 }))
        yield [{ tenant: defaultTenant, key: 'k', position: 1, row: { n: 5 }, doc: '{"n":5}' }]
      }
      const load = { shard: 0, epoch, from: origin, to: at(3), pages: pages(), rollups: () => sums }
      expect(await view.bulkLoad(load)).toBe('committed')
      const { value, asOf } = await view.rollups.get('perKind', keys('b', 'a'))
      expect([value, asOf]).toEqual([[group('b', { n: 1 }), group('a', { n: 5 })], at(3)])
    })

    test('go with their generation, and are empty after a reset', async () => {
      const { store } = tested()
      const view = await viewWith(change('a', { n: 1 }))
      await store.reset(view.projection, view.generation)
      expect(await listed(view)).toEqual([])
      expect(await view.checkpoint(0)).toMatchObject(origin)
      const next = await store.rebuild(viewShapeOf(summed(view.projection)))
      expect(await store.drop(view.projection, next.generation)).toBe('dropped')
      await expect(next.rollups.get('perKind', keys('a'))).rejects.toMatchObject({ code: 'project/generation-dropped' })
    })
  })
}
