import { describe, expect, test } from 'vitest'
import { defaultTenant } from '../log/index.ts'
import type { Scalar, Scan, Upsert, View } from './store.ts'
import { at, upsert } from './things.contract.ts'

/** The keys of a scan's rows, in order. */
export async function listed(view: View, scan: Partial<Scan> & Pick<Scan, 'index'>): Promise<string[]> {
  const whole = { tenant: defaultTenant, equal: [], range: {}, order: 'asc', limit: 100, ...scan } as const
  return (await view.list(whole)).value.map(({ key }) => key)
}

/** What every view store must hold of lists. `viewWith` makes a view with these rows at position 1. */
export function listContract(viewWith: (...upserts: readonly Upsert[]) => Promise<View>): void {
  describe('lists', () => {
    const scalars: { [Column in 'name' | 'size' | 'weight' | 'done' | 'at']: readonly Scalar[] } = {
      name: ['', 'A', 'a', 'a b', 'ab', 'b', '~', 'é', '\uffee', '\u{1f600}'],
      size: [Number.MIN_SAFE_INTEGER, -1, 0, 9, 10, Number.MAX_SAFE_INTEGER],
      weight: [-1e300, -0.5, 0, 5e-324, 0.1, 9, 10],
      done: [false, true],
      at: ['0099-01-01T00:00:00Z', '2026-01-01T01:00:00+01:30', '2026-01-01T00:00:00Z', '2026-01-01T00:00:00.000001Z'],
    }

    for (const [column, inOrder] of Object.entries(scalars)) {
      test(`an index on ${column} gives its order, up and down, from any row on, and its ranges`, async () => {
        const rows = inOrder.map((value, at) => upsert(`k${at}`, { [column]: value }))
        const view = await viewWith(...rows.toReversed())
        const keys = rows.map(({ key }) => key)
        const index = [column]
        expect(await listed(view, { index })).toEqual(keys)
        expect(await listed(view, { index, order: 'desc' })).toEqual(keys.toReversed())
        for (const [at, value] of inOrder.entries()) {
          const after = { values: [value], key: `k${at}` }
          expect(await listed(view, { index, after })).toEqual(keys.slice(at + 1))
          expect(await listed(view, { index, after, order: 'desc' })).toEqual(keys.slice(0, at).toReversed())
          expect(await listed(view, { index, equal: [value] })).toEqual([`k${at}`])
          expect(await listed(view, { index, range: { gt: value } })).toEqual(keys.slice(at + 1))
          expect(await listed(view, { index, range: { gte: value } })).toEqual(keys.slice(at))
          expect(await listed(view, { index, range: { lt: value } })).toEqual(keys.slice(0, at))
          expect(await listed(view, { index, range: { lte: value } })).toEqual(keys.slice(0, at + 1))
        }
      })
    }

    test('rows that are equal in the index come by key, and pages cut between them neither skip nor repeat', async () => {
      const keys = ['B', 'a', 'b', 'c', '\uffee', '\u{1f600}']
      const rows = keys.flatMap(key => [
        upsert(key, { done: false, size: 1 }),
        upsert(`${key}2`, { done: true, size: 5 }),
      ])
      const view = await viewWith(...rows)
      for (const order of ['asc', 'desc'] as const) {
        for (const equal of [[], [false], [true, 5]] as const) {
          const scan = { index: ['done', 'size'], equal, order }
          const whole = await listed(view, scan)
          expect(whole).toHaveLength(equal.length === 0 ? 12 : 6)
          const paged: string[] = []
          for (;;) {
            const last = rows.find(({ key }) => key === paged.at(-1))
            const after = last && { values: [last.row['done'], last.row['size']] as Scalar[], key: last.key }
            const page = await listed(view, { ...scan, limit: 5, ...(after && { after }) })
            if (page.length === 0) break
            paged.push(...page)
          }
          expect(paged).toEqual(whole)
        }
      }
    })

    test('equality on the first columns, a range on the next and a row to begin behind go together', async () => {
      const rows = Array.from({ length: 60 }, (_, n) =>
        upsert(`k${String(n).padStart(2, '0')}`, {
          name: n % 2 === 0 ? 'even' : 'odd',
          at: `2026-01-0${1 + (n % 5)}T00:00:00Z`,
          size: n,
        }),
      )
      const view = await viewWith(...rows)
      const index = ['name', 'at', 'size']
      const range = { gt: '2026-01-01T00:00:00Z', lte: '2026-01-03T01:00:00+01:00' }
      const after = { values: ['even', '2026-01-02T00:00:00Z', 26], key: 'k26' }
      const expected = rows
        .filter(({ row }) => row['name'] === 'even' && ['2', '3'].includes(String(row['at'])[9] as string))
        .toSorted((a, b) => (`${a.row['at']}${a.key}` < `${b.row['at']}${b.key}` ? -1 : 1))
        .map(({ key }) => key)
      expect(await listed(view, { index, equal: ['even'], range })).toEqual(expected)
      const cut = expected.indexOf('k26')
      expect(cut).toBeGreaterThan(0)
      expect(await listed(view, { index, equal: ['even'], range, after, limit: 4 })).toEqual(
        expected.slice(cut + 1, cut + 5),
      )
      expect(await listed(view, { index, equal: ['even'], range, after, order: 'desc' })).toEqual(
        expected.slice(0, cut).toReversed(),
      )
    })

    test('a list says of which position it is, and gives documents with keys', async () => {
      const row = upsert('only', { name: 'x' })
      const view = await viewWith(row)
      const scan: Scan = { tenant: defaultTenant, index: ['name'], equal: [], range: {}, order: 'asc', limit: 1 }
      expect(await view.list(scan)).toEqual({ value: [{ key: 'only', doc: row.doc }], asOf: at(1) })
      expect(await view.list({ ...scan, tenant: 'nobody' })).toEqual({ value: [], asOf: at(1) })
    })
  })
}
