import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { projection } from '../define/index.ts'
import { defaultTenant, origin } from '../log/index.ts'
import type { Scan, Upsert, View, ViewStore } from './store.ts'
import { rowId } from './store.ts'
import { apartContract } from './store-apart.contract.ts'
import { generationsContract } from './store-generations.contract.ts'
import { leasesContract } from './store-leases.contract.ts'
import { lettersContract } from './store-letters.contract.ts'
import { listContract, listed } from './store-lists.contract.ts'
import { loadContract } from './store-load.contract.ts'
import { operationsContract } from './store-operations.contract.ts'
import { refsContract } from './store-refs.contract.ts'
import { rollupsContract } from './store-rollups.contract.ts'
import { shardsContract } from './store-shards.contract.ts'
import { snapshotContract } from './store-snapshot.contract.ts'
import { stagesContract } from './store-stages.contract.ts'
import { at, gone, keysOf, newName, oddStrings, plain, rowsIn, Things, things, upsert } from './things.contract.ts'
import { viewShapeOf } from './view-shape.ts'

/** A store under test. */
export interface StoreUnderTest {
  readonly store: ViewStore
  /** The same views as another process sees them. */
  readonly other: ViewStore
  close(): Promise<void>
}

/**
 * What every view store must hold.
 *
 * @param isApart are its rows in a store without transactions? What it then refuses is tested by `apartContract`.
 */
export function storeContract(name: string, make: () => Promise<StoreUnderTest>, isApart = false): void {
  describe(`the view store: ${name}`, () => {
    let tested: StoreUnderTest
    beforeAll(async () => {
      tested = await make()
    })
    afterAll(() => tested.close())

    /** A new view in which `upserts` were committed at position 1. */
    async function viewWith(...upserts: readonly Upsert[]): Promise<View> {
      const view = await tested.store.open(viewShapeOf(things()))
      const { epoch } = await view.claim(0)
      expect(await view.commit({ shard: 0, epoch, from: origin, to: at(1), upserts, deletes: [] })).toBe('committed')
      return view
    }

    describe('generations', () => {
      test('a new view stands at the origin, with epoch 0, in generation 1', async () => {
        const view = await tested.store.open(viewShapeOf(things()))
        expect(view.generation).toBe(1)
        expect(await view.checkpoint(0)).toEqual({ ...origin, epoch: 0 })
        expect(await view.get(keysOf(['none']))).toMatchObject({ value: [null], asOf: origin })
      })

      test('the same shape opens the same generation, here and in another process', async () => {
        const shape = viewShapeOf(things())
        const view = await tested.store.open(shape)
        const { epoch } = await view.claim(0)
        await view.commit({ shard: 0, epoch, from: origin, to: at(3), upserts: [upsert('k')], deletes: [] })
        for (const store of [tested.store, tested.other]) {
          const again = await store.open(shape)
          expect(again.generation).toBe(view.generation)
          expect((await again.get(keysOf(['k']))).value).toEqual([JSON.stringify(plain)])
        }
      })

      test('another version, or other columns, make a generation beside it, which has its own rows', async () => {
        const name = newName()
        const first = await tested.store.open(viewShapeOf(things(name)))
        const { epoch } = await first.claim(0)
        await first.commit({ shard: 0, epoch, from: origin, to: at(3), upserts: [upsert('k')], deletes: [] })
        const second = await tested.other.open(viewShapeOf(things(name, 2)))
        const narrow = projection(name, { from: [Things], state: z.object({ name: z.string() }), on: {} })
        const third = await tested.store.open(viewShapeOf(narrow))
        expect([first, second, third].map(({ generation }) => generation)).toEqual([1, 2, 3])
        expect(await second.get(keysOf(['k']))).toMatchObject({ value: [null], asOf: origin })
        expect((await first.get(keysOf(['k']))).asOf).toEqual(at(3))
        expect((await tested.store.open(viewShapeOf(things(name)))).generation).toBe(1)
      })

      test('the order of the columns in the schema makes no difference, and neither do indexes', async () => {
        const name = newName()
        const one = z.object({ a: z.string(), b: z.int() })
        const other = z.object({ b: z.int(), a: z.string() })
        await tested.store.open(viewShapeOf(projection(name, { from: [Things], state: one, on: {} })))
        const again = projection(name, { from: [Things], state: other, on: {}, indexes: [['b', 'a']] })
        const view = await tested.store.open(viewShapeOf(again))
        expect(view.generation).toBe(1)
        expect(await listed(view, { index: ['b', 'a'] })).toEqual([])
      })

      test('many that open one new view at once get one generation', async () => {
        const shapes = [viewShapeOf(things()), viewShapeOf(things())]
        const opened = await Promise.all(
          [tested.store, tested.other, tested.store, tested.other].flatMap(store => shapes.map(s => store.open(s))),
        )
        expect(opened.map(({ generation }) => generation)).toEqual(opened.map(() => 1))
      })
    })

    describe('the fence', () => {
      test('each claim raises the epoch and leaves the position', async () => {
        const view = await viewWith()
        expect(await view.claim(0)).toEqual({ ...at(1), epoch: 2 })
        expect(await view.checkpoint(0)).toEqual({ ...at(1), epoch: 2 })
      })

      test('a commit moves the checkpoint, also without rows', async () => {
        const view = await viewWith()
        expect(await view.commit({ shard: 0, epoch: 1, from: at(1), to: at(9), upserts: [], deletes: [] })).toBe(
          'committed',
        )
        expect(await view.checkpoint(0)).toEqual({ ...at(9), epoch: 1 })
      })

      test('an old epoch, another position and another fingerprint are fenced, and change nothing', async () => {
        const shape = viewShapeOf(things())
        const view = await tested.store.open(shape)
        const zombie = await view.claim(0)
        const { epoch } = await (await tested.other.open(shape)).claim(0)
        const kept = [upsert('kept', { name: 'kept' }), upsert('also', { name: 'also' })]
        await view.commit({ shard: 0, epoch, from: origin, to: at(5), upserts: kept, deletes: [] })
        const changes = {
          shard: 0,
          to: at(6),
          upserts: [upsert('kept', { name: 'overwritten' }), upsert('new')],
          deletes: gone(6, 'also'),
        }
        for (const stale of [
          { epoch: zombie.epoch, from: at(5) },
          { epoch: epoch + 1, from: at(5) },
          { epoch, from: origin },
          { epoch, from: at(4) },
          { epoch, from: { position: 5, fingerprint: '000000000000' } },
        ]) {
          expect(await view.commit({ ...changes, ...stale })).toBe('fenced')
          expect(await view.commit({ ...changes, upserts: [], deletes: [], ...stale })).toBe('fenced')
        }
        expect(await view.checkpoint(0)).toEqual({ ...at(5), epoch })
        expect(await view.get(keysOf(['kept', 'also', 'new']))).toMatchObject({
          value: [...kept.map(({ doc }) => doc), null],
          asOf: at(5),
        })
      })

      test('of two commits from one position only one is taken', async () => {
        const view = await viewWith()
        const commit = (key: string) =>
          view.commit({ shard: 0, epoch: 1, from: at(1), to: at(2), upserts: [upsert(key)], deletes: [] })
        const outcomes = await Promise.all([commit('a'), commit('b'), commit('c')])
        expect(outcomes.toSorted()).toEqual(['committed', 'fenced', 'fenced'])
        if (!isApart) expect((await rowsIn(view, keysOf(['a', 'b', 'c']))).size).toBe(1)
      })
    })

    describe('rows', () => {
      test('a commit writes over rows, adds some and deletes some', async () => {
        const view = await viewWith(upsert('a'), upsert('b'), upsert('c'))
        const upserts = [upsert('a', { size: 2 }, 2), upsert('d', { size: 3 }, 3)]
        const deletes = gone(3, 'b', 'never-was')
        await view.commit({ shard: 0, epoch: 1, from: at(1), to: at(3), upserts, deletes })
        const loaded = await rowsIn(view, keysOf(['a', 'b', 'c', 'd', 'never-was']))
        expect(loaded).toEqual(
          new Map([
            [rowId({ tenant: defaultTenant, key: 'a' }), { position: 2, doc: upserts[0]?.doc }],
            [rowId({ tenant: defaultTenant, key: 'c' }), { position: 1, doc: JSON.stringify(plain) }],
            [rowId({ tenant: defaultTenant, key: 'd' }), { position: 3, doc: upserts[1]?.doc }],
          ]),
        )
      })

      test('documents come back to the byte', async () => {
        const docs = ['{ "name" : "plain",\t"size":1.0 }', '{"b":1,"a":2,"a":3}']
        const view = await viewWith(...docs.map((doc, at) => ({ ...upsert(`k${at}`), doc })))
        expect((await view.get(keysOf(['k0', 'k1']))).value).toEqual(docs)
      })

      test('any text can be a value, a nested value and a key', async () => {
        const rows = oddStrings.map((text, at) =>
          upsert(text === '' ? 'empty' : text.slice(0, 500), {
            name: text,
            note: text,
            size: at,
            nested: { deep: [{ text }] },
            tags: [text, text],
          }),
        )
        const view = await viewWith(...rows)
        const { value } = await view.get(rows)
        expect(value).toEqual(rows.map(({ doc }) => doc))
        for (const row of rows) {
          expect(await listed(view, { index: ['name'], equal: [row.row['name'] as string] })).toEqual([row.key])
        }
        for (const row of rows) expect((await view.load([row])).get(rowId(row))?.doc).toBe(row.doc)
        await view.commit({ shard: 0, epoch: 1, from: at(1), to: at(2), upserts: [], deletes: rows })
        expect((await rowsIn(view, rows)).size).toBe(0)
      })

      test('one odd text alone in a commit is kept too', async () => {
        const view = await viewWith()
        let position = 1
        for (const text of oddStrings) {
          const row = upsert('alone', { name: text, note: text, tags: [text] }, position)
          const commit = { shard: 0, epoch: 1, from: at(position), to: at(position + 1), upserts: [row], deletes: [] }
          expect(await view.commit(commit)).toBe('committed')
          expect((await view.get([row])).value).toEqual([row.doc])
          expect(await listed(view, { index: ['name'], equal: [text] })).toEqual(['alone'])
          position++
        }
      })

      test('a view may have no text, one column, or none', async () => {
        for (const state of [z.object({ n: z.int() }), z.object({ t: z.string().optional() }), z.object({})]) {
          const narrow = projection(newName(), { from: [Things], state, on: {} })
          const view = await tested.store.open(viewShapeOf(narrow))
          const { epoch } = await view.claim(0)
          const row = state.parse({ n: 1 })
          const upserts = [{ tenant: defaultTenant, key: 'k', position: 1, row, doc: JSON.stringify(row) }]
          await view.commit({ shard: 0, epoch, from: origin, to: at(1), upserts, deletes: gone(1, 'other') })
          expect((await view.get(keysOf(['k']))).value).toEqual([JSON.stringify(row)])
        }
      })

      test('every type of column takes its limits', async () => {
        const rows = [
          upsert('low', { size: Number.MIN_SAFE_INTEGER, weight: -1.7976931348623157e308, at: '0001-01-01T00:00:00Z' }),
          upsert('tiny', { size: 0, weight: 5e-324, at: '2026-11-21T03:30:00.123456+05:30' }),
          upsert('high', { size: Number.MAX_SAFE_INTEGER, weight: 1e21, at: '9999-12-31T23:59:59.999999Z' }),
          upsert('full', {
            note: 'n',
            seen: '2026-11-21T03:30Z',
            nested: { deep: [{ text: 'a' }, { text: 'b' }] },
            tags: ['a,b', '{', '"'],
            counts: [1, -2],
            shares: [0.1, 1e-7],
            flags: [true, false],
            done: true,
          }),
        ]
        const view = await viewWith(...rows)
        expect((await view.get(rows)).value).toEqual(rows.map(({ doc }) => doc))
      })

      test('tenants are kept apart', async () => {
        const view = await viewWith(upsert('k', { size: 1 }, 1, 'one'), upsert('k', { size: 2 }, 1, 'two'))
        const { value } = await view.get([
          { tenant: 'two', key: 'k' },
          { tenant: 'one', key: 'k' },
          { tenant: 'three', key: 'k' },
        ])
        expect(value.map(doc => doc && JSON.parse(doc).size)).toEqual([2, 1, null])
        expect((await view.list(scanOf('two'))).value.map(({ doc }) => JSON.parse(doc).size)).toEqual([2])
        const deletes = [{ tenant: 'one', key: 'k', position: 2 }]
        await view.commit({ shard: 0, epoch: 1, from: at(1), to: at(2), upserts: [], deletes })
        expect((await rowsIn(view, [...deletes, { tenant: 'two', key: 'k' }])).size).toBe(1)
      })
      const scanOf = (tenant: string): Scan => ({
        tenant,
        index: ['size'],
        equal: [],
        range: {},
        order: 'asc',
        limit: 10,
      })

      test('a key is looked up as often as it is asked for, in order, and no keys are no rows', async () => {
        const view = await viewWith(upsert('a'), upsert('b', { size: 2 }))
        const { value, asOf } = await view.get(keysOf(['b', 'none', 'a', 'b']))
        expect(value.map(doc => doc && JSON.parse(doc).size)).toEqual([2, null, 1, 2])
        expect(asOf).toEqual(at(1))
        expect(await view.get([])).toMatchObject({ value: [], asOf: at(1) })
        expect((await view.load([])).size).toBe(0)
      })

      test('a key that no row can have is not there', async () => {
        const view = await viewWith(upsert('a'), upsert('\ufffd'))
        expect((await view.get(keysOf(['a\u0000', '\u0000', '\ud800', '']))).value).toEqual([null, null, null, null])
      })

      test('thousands of rows are written in one commit', async () => {
        const rows = Array.from({ length: 3000 }, (_, at) => upsert(`k${at}`, { name: `name\n${at}`, size: at }))
        const view = await viewWith(...rows)
        expect((await view.load(rows)).size).toBe(3000)
        const commit = { shard: 0, epoch: 1, from: at(1), to: at(2), upserts: [], deletes: rows.slice(1) }
        await view.commit(commit)
        expect([...(await rowsIn(view, rows)).values()].map(({ doc }) => doc)).toEqual([rows[0]?.doc])
      })
    })

    listContract(viewWith)
    shardsContract(() => tested)
    leasesContract(() => tested)
    generationsContract(() => tested, isApart)
    operationsContract(() => tested, isApart)
    loadContract(() => tested, isApart)
    snapshotContract(() => tested.store, viewWith)
    lettersContract(() => tested, isApart)
    refsContract(() => tested, isApart)
    stagesContract(() => tested)
    if (isApart) apartContract(() => tested)
    else rollupsContract(() => tested)

    test('who listens hears of a commit, here and in another process', async () => {
      const projected = things()
      const view = await tested.store.open(viewShapeOf(projected))
      const heard = [tested.store, tested.other].map(
        store =>
          new Promise<void>(resolve => {
            const end = store.onMoved(name => {
              if (name !== projected.name) return
              end()
              resolve()
            })
          }),
      )
      const { epoch } = await view.claim(0)
      let position = 0
      let done = false
      const all = Promise.all(heard).then(() => {
        done = true
      })
      while (!done) {
        await view.commit({ shard: 0, epoch, from: at(position), to: at(position + 1), upserts: [], deletes: [] })
        position++
        await Promise.race([all, new Promise(resolve => setTimeout(resolve, 20))])
      }
      expect(done).toBe(true)
    })
  })
}
