import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { defaultTenant } from '../log/index.ts'
import type { RowStore, Rows } from './row-store.ts'
import type { DeletedRow, Scan, StoredRow, Upsert, ViewShape } from './store.ts'
import { gone, keysOf, newName, oddStrings, things, upsert } from './things.contract.ts'
import { viewShapeOf } from './view-shape.ts'

/** A store of rows under test. */
export interface RowStoreUnderTest {
  readonly store: RowStore
  /** The same rows as another process sees them. */
  readonly other: RowStore
  close(): Promise<void>
}

/** Writes rows of one version, as of a position of the same number. */
const put = (
  rows: Rows,
  [epoch, number]: readonly [number, number],
  upserts: readonly Upsert[],
  deletes: readonly DeletedRow[] = [],
): Promise<void> => rows.write({ version: { epoch, number }, madeAt: number, upserts, deletes })

/** What every store of rows must hold. What becomes of views whose rows it keeps, `storeContract` and the projector's suites say. */
export function rowStoreContract(name: string, make: () => Promise<RowStoreUnderTest>): void {
  describe(`the store of rows: ${name}`, () => {
    let tested: RowStoreUnderTest
    beforeAll(async () => {
      tested = await make()
    })
    afterAll(() => tested.close())

    const shapeOf = (name = newName()): ViewShape => viewShapeOf(things(name))
    const open = (shape = shapeOf()): Promise<Rows> => tested.store.open(shape, 1)
    const sizesIn = async (rows: Rows, ...keys: readonly string[]): Promise<readonly (number | null)[]> =>
      (await rows.get(keysOf(keys))).map(doc => (doc === null ? null : JSON.parse(doc).size))
    const all = async (rows: Rows): Promise<readonly StoredRow[]> => {
      const found: StoredRow[] = []
      for await (const page of rows.pages()) found.push(...page)
      return found
    }

    test('rows are found by key, along an index and in pages, to the byte, here and in another process', async () => {
      const shape = shapeOf()
      const written = oddStrings.map((text, n) =>
        upsert(`k${String(n).padStart(2, '0')}`, { name: text, size: n }, 1 + n),
      )
      const rows = await open(shape)
      await put(rows, [1, 30], written, [])
      for (const one of [rows, await tested.other.open(shape, 1)]) {
        expect(await one.get([...written, ...keysOf(['none'])])).toEqual([...written.map(({ doc }) => doc), null])
        const loaded = written.map(({ position, doc }) => ({ position, doc, madeAt: 30 }))
        expect([...(await one.load([...written, ...keysOf(['none'])])).values()]).toEqual(loaded)
        const scan: Scan = {
          tenant: defaultTenant,
          index: ['size'],
          equal: [],
          range: { gte: 3 },
          order: 'desc',
          limit: 4,
        }
        const last = written.toReversed().slice(0, 4)
        expect(await one.list(scan)).toEqual(last.map(({ key, doc }) => ({ key, doc })))
        expect(await all(one)).toEqual(written.map(({ row: _, ...row }) => ({ ...row, differing: [] })))
      }
    })

    test('a row of the same version or a newer one stays: of a later epoch, or within one of a higher number', async () => {
      const rows = await open()
      const write = (epoch: number, number: number, size: number) => put(rows, [epoch, number], [upsert('k', { size })])
      const written: (number | null)[] = []
      for (const [size, [epoch, number]] of [
        [2, 5],
        [2, 4],
        [1, 9],
        [2, 5],
        [2, 7],
        [3, 6],
        [2, 8],
      ].entries()) {
        await write(epoch as number, number as number, size)
        written.push(...(await sizesIn(rows, 'k')))
      }
      expect(written).toEqual([0, 0, 0, 0, 4, 5, 5])
    })

    test('a row that is deleted leaves a tombstone, which holds against older versions and no query sees', async () => {
      const rows = await open()
      await put(rows, [2, 5], [upsert('a', {}, 5), upsert('b', {}, 5)], [])
      await put(rows, [2, 8], [], gone(7, 'a', 'never-was'))
      await put(rows, [2, 6], [upsert('a', {}, 6), upsert('never-was', {}, 6)], [])
      await put(rows, [1, 9], [upsert('a', {}, 9)], gone(9, 'b'))
      const tombstone = { position: 7, doc: null, madeAt: 8 }
      expect([...(await rows.load(keysOf(['a', 'never-was']))).values()]).toEqual([tombstone, tombstone])
      expect(await rows.get(keysOf(['a', 'b', 'never-was']))).toEqual([null, expect.any(String), null])
      expect((await all(rows)).map(({ key }) => key)).toEqual(['b'])
      const scan: Scan = { tenant: defaultTenant, index: ['size'], equal: [], range: {}, order: 'asc', limit: 9 }
      expect((await rows.list(scan)).map(({ key }) => key)).toEqual(['b'])
      await put(rows, [2, 9], [upsert('a', { size: 9 }, 9)], [])
      expect(await sizesIn(rows, 'a')).toEqual([9])
    })

    test('of writes at the same time, in whatever order they come, the newest version stays', async () => {
      const shape = shapeOf()
      const [rows, other] = [await open(shape), await tested.other.open(shape, 1)]
      const keys = Array.from({ length: 20 }, (_, n) => `k${n}`)
      const versions = Array.from({ length: 12 }, (_, n) => [1 + Math.floor(n / 4), 20 - (n % 4)] as const)
      await Promise.all(
        versions.map((version, n) => {
          const size = version[0] * 100 + version[1]
          return put(
            n % 2 === 0 ? rows : other,
            version,
            keys.map(key => upsert(key, { size })),
          )
        }),
      )
      expect(await sizesIn(rows, ...keys)).toEqual(keys.map(() => 320))
    })

    test('rows are found by what they refer to now, tombstones by nothing', async () => {
      const shape = { ...shapeOf(), refs: [{ name: 'owner', to: 'owners 1' }] }
      const rows = await open(shape)
      const ownedBy = (owner: string | null, key: string) => ({ ...upsert(key), refs: { owner } })
      await put(rows, [1, 1], [ownedBy('x', 'a'), ownedBy('x', 'b'), ownedBy('y', 'c')], [])
      await put(rows, [1, 2], [ownedBy('y', 'a')], gone(2, 'b'))
      const found = await rows.dependents({ shard: 0, ref: 'owner', keys: keysOf(['x', 'y']), limit: 9 })
      expect(found).toEqual(['a', 'c'].map(key => ({ tenant: defaultTenant, key, of: 1 })))
    })

    test('generations are apart, and are dropped each by itself', async () => {
      const shape = shapeOf()
      const [first, second] = [await open(shape), await tested.store.open(shape, 2)]
      await put(first, [1, 1], [upsert('k', { size: 1 })], [])
      await put(second, [1, 1], [upsert('k', { size: 2 })], [])
      expect(await tested.other.generations(shape.projection.name)).toEqual([1, 2])
      await tested.other.drop(shape.projection.name, 1)
      expect(await tested.store.generations(shape.projection.name)).toEqual([2])
      // Whoever has it open still writes to nothing.
      await put(first, [1, 2], [upsert('k')], []).catch(() => undefined)
      expect(await tested.store.generations(shape.projection.name)).toEqual([2])
      expect(await sizesIn(first, 'k').catch(() => [null])).toEqual([null])
      expect(await sizesIn(second, 'k')).toEqual([2])
      expect(await tested.store.generations(newName())).toEqual([])
    })
  })
}
