import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { readCursor, writeCursor } from './join-cursor.ts'
import { compareText } from './order.ts'
import type { RowKey } from './store.ts'
import { at } from './things.contract.ts'
import { type ChangedRef, type Walk, type WalkPoint, walkDependents } from './walk-dependents.ts'

interface Row extends RowKey {
  readonly refs: Readonly<Record<string, string>>
}

/** As a store finds them. */
const findIn =
  (rows: readonly Row[], asked: number[]): Walk['find'] =>
  async ({ ref, keys, after, limit }) => {
    asked.push(keys.length)
    return keys
      .flatMap((wanted, of) =>
        rows
          .filter(row => row.tenant === wanted.tenant && row.refs[ref] === wanted.key)
          .filter(({ key }) => of > 0 || after === undefined || compareText(key, after) > 0)
          .sort((a, b) => compareText(a.key, b.key))
          .map(({ tenant, key }) => ({ tenant, key, of })),
      )
      .slice(0, limit)
  }

const walk = async (rows: readonly Row[], changed: readonly ChangedRef[], limit: number, after?: WalkPoint) => {
  const asked: number[] = []
  const found: { name: string; last: WalkPoint }[] = []
  const parts: number[] = []
  const given = { changed, find: findIn(rows, asked), limit: () => limit, ...(after !== undefined && { after }) }
  for await (const { dependents, last } of walkDependents(given)) {
    parts.push(dependents.length)
    for (const { tenant, key } of dependents) found.push({ name: `${tenant}/${key}`, last })
  }
  return { found, parts, asked }
}

const tenants = ['one', 'two']
const keys = ['a', 'b', 'c', '\u{1f600}', '\uffee']
const rowsOf = fc.array(
  fc.record({
    tenant: fc.constantFrom(...tenants),
    key: fc.constantFrom(...Array.from({ length: 30 }, (_, n) => `row ${n}`)),
    refs: fc.record({ from: fc.constantFrom(...keys), to: fc.constantFrom(...keys) }),
  }),
  { maxLength: 60 },
)
const changedOf = fc.array(
  fc.record({
    ref: fc.constantFrom('from', 'to'),
    keys: fc.array(fc.record({ tenant: fc.constantFrom(...tenants), key: fc.constantFrom(...keys) }), { minLength: 1 }),
  }),
  { maxLength: 1 },
)

describe('walking through dependents', () => {
  test('finds all that refer to what changed, in parts of the limit at most', async () => {
    await fc.assert(
      fc.asyncProperty(rowsOf, changedOf, fc.integer({ min: 1, max: 7 }), async (rows, changed, limit) => {
        const { found, parts } = await walk(rows, changed, limit)
        const expected = changed.flatMap(({ ref, keys: wanted }) =>
          rows.filter(row => wanted.some(key => key.tenant === row.tenant && row.refs[ref as 'to'] === key.key)),
        )
        const names = expected.map(({ tenant, key }) => `${tenant}/${key}`)
        expect(new Set(found.map(({ name }) => name))).toEqual(new Set(names))
        expect(Math.max(0, ...parts)).toBeLessThanOrEqual(limit)
      }),
    )
  })

  test('goes on behind any point that it has reached, with any other limit, and finds the rest', async () => {
    await fc.assert(
      fc.asyncProperty(rowsOf, changedOf, fc.nat(), async (rows, changed, seed) => {
        const unique = [...new Map(rows.map(row => [`${row.tenant}/${row.key}`, row])).values()]
        const { found } = await walk(unique, changed, 1)
        if (found.length === 0) return
        const reached = seed % found.length
        const { last } = readCursor(writeCursor({ to: at(3), last: found[reached]?.last as WalkPoint }))
        const rest = await walk(unique, changed, 1 + (seed % 5), last)
        expect(rest.found.map(({ name }) => name)).toEqual(found.slice(reached + 1).map(({ name }) => name))
      }),
    )
  })

  test('asks for fewer keys at once where they have many dependents', async () => {
    const wanted = Array.from({ length: 1000 }, (_, n) => ({ tenant: 'one', key: `k${String(n).padStart(4, '0')}` }))
    const rows = wanted.flatMap(({ tenant, key }) =>
      ['x', 'y', 'z'].map(end => ({ tenant, key: key + end, refs: { to: key } })),
    )
    const { asked, found } = await walk(rows, [{ ref: 'to', keys: wanted }], 30)
    expect(found.length).toBe(3000)
    expect([asked[0], Math.max(...asked.slice(1)) <= 22]).toEqual([1000, true])
  })
})
