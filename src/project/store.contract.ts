import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { events, type Projection, projection } from '../define/index.ts'
import { type Anchor, defaultTenant, origin } from '../log/index.ts'
import type { RowKey, Scalar, Scan, Upsert, View, ViewStore } from './store.ts'
import { rowId } from './store.ts'
import { viewShapeOf } from './view-shape.ts'

/** A store under test. */
export interface StoreUnderTest {
  readonly store: ViewStore
  /** The same views as another process sees them. */
  readonly other: ViewStore
  close(): Promise<void>
}

const Things = events('thing', { ThingHappened: z.object({}) })

const Row = z.object({
  name: z.string(),
  size: z.int(),
  weight: z.number(),
  done: z.boolean(),
  at: z.iso.datetime({ offset: true }),
  note: z.string().nullable(),
  seen: z.iso.datetime({ offset: true }).optional(),
  nested: z.object({ deep: z.array(z.object({ text: z.string() })) }),
  tags: z.array(z.string()),
  counts: z.array(z.int()),
  shares: z.array(z.number()),
  flags: z.array(z.boolean()).nullable(),
})
type Row = z.output<typeof Row>

const plain: Row = {
  name: 'plain',
  size: 1,
  weight: 0.5,
  done: false,
  at: '2026-11-21T03:30:00Z',
  note: null,
  nested: { deep: [] },
  tags: [],
  counts: [],
  shares: [],
  flags: null,
}

const oddStrings = [
  '',
  ' ',
  'null',
  'NULL',
  '\\N',
  '\\',
  '"',
  "'",
  '{}',
  '{"a",b}',
  ',',
  '\n',
  '\r\n',
  '\t',
  '\u0001\u001e\u001f\u0007',
  '\u007f\u0085\u2028',
  '%s $1 :x ?',
  'ünï çødé',
  '\u{1f600}\u200d\u{10ffff}',
  '\ue000\uffee',
  '; drop table x; --',
  'x'.repeat(2000),
]

const indexes: Projection<Row>['indexes'] = [
  ['name'],
  ['size'],
  ['weight'],
  ['done'],
  ['at'],
  ['done', 'size'],
  ['name', 'at', 'size'],
]

let views = 0
function things(name = `things-${++views}`, version = 1): Projection<Row> {
  return projection(name, { from: [Things], version, state: Row, on: {}, indexes: indexes as never })
}

const at = (position: number): Anchor =>
  position === 0 ? origin : { position, fingerprint: position.toString(16).padStart(12, 'f') }

function upsert(key: string, row: Partial<Row> = {}, position = 1, tenant = defaultTenant): Upsert {
  const whole = { ...plain, ...row }
  return { tenant, key, position, row: whole, doc: JSON.stringify(whole) }
}

const keysOf = (keys: readonly string[], tenant = defaultTenant): RowKey[] => keys.map(key => ({ tenant, key }))

/** What every view store must hold. */
export function storeContract(name: string, make: () => Promise<StoreUnderTest>): void {
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

    const listed = async (view: View, scan: Partial<Scan> & Pick<Scan, 'index'>): Promise<string[]> => {
      const whole = { tenant: defaultTenant, equal: [], range: {}, order: 'asc', limit: 100, ...scan } as const
      return (await view.list(whole)).value.map(({ key }) => key)
    }

    describe('generations', () => {
      test('a new view stands at the origin, with epoch 0, in generation 1', async () => {
        const view = await tested.store.open(viewShapeOf(things()))
        expect(view.generation).toBe(1)
        expect(await view.checkpoint(0)).toEqual({ ...origin, epoch: 0 })
        expect(await view.get(keysOf(['none']))).toEqual({ value: [null], asOf: origin })
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
        const name = `things-${++views}`
        const first = await tested.store.open(viewShapeOf(things(name)))
        const { epoch } = await first.claim(0)
        await first.commit({ shard: 0, epoch, from: origin, to: at(3), upserts: [upsert('k')], deletes: [] })
        const second = await tested.other.open(viewShapeOf(things(name, 2)))
        const narrow = projection(name, { from: [Things], state: z.object({ name: z.string() }), on: {} })
        const third = await tested.store.open(viewShapeOf(narrow))
        expect([first, second, third].map(({ generation }) => generation)).toEqual([1, 2, 3])
        expect(await second.get(keysOf(['k']))).toEqual({ value: [null], asOf: origin })
        expect((await first.get(keysOf(['k']))).asOf).toEqual(at(3))
        expect((await tested.store.open(viewShapeOf(things(name)))).generation).toBe(1)
      })

      test('the order of the columns in the schema makes no difference, and neither do indexes', async () => {
        const name = `things-${++views}`
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
          deletes: keysOf(['also']),
        }
        for (const stale of [
          { epoch: zombie.epoch, from: at(5) },
          { epoch: epoch + 1, from: at(5) },
          { epoch, from: origin },
          { epoch, from: at(4) },
          { epoch, from: { position: 5, fingerprint: '000000000000' } },
        ]) {
          expect(await view.commit({ ...changes, ...stale })).toBe('fenced')
        }
        expect(await view.checkpoint(0)).toEqual({ ...at(5), epoch })
        expect(await view.get(keysOf(['kept', 'also', 'new']))).toEqual({
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
        expect((await view.load(keysOf(['a', 'b', 'c']))).size).toBe(1)
      })
    })

    describe('rows', () => {
      test('a commit writes over rows, adds some and deletes some', async () => {
        const view = await viewWith(upsert('a'), upsert('b'), upsert('c'))
        const upserts = [upsert('a', { size: 2 }, 2), upsert('d', { size: 3 }, 3)]
        const deletes = keysOf(['b', 'never-was'])
        await view.commit({ shard: 0, epoch: 1, from: at(1), to: at(3), upserts, deletes })
        const docs = await view.load(keysOf(['a', 'b', 'c', 'd', 'never-was']))
        expect(docs).toEqual(
          new Map([
            [rowId({ tenant: defaultTenant, key: 'a' }), upserts[0]?.doc],
            [rowId({ tenant: defaultTenant, key: 'c' }), JSON.stringify(plain)],
            [rowId({ tenant: defaultTenant, key: 'd' }), upserts[1]?.doc],
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
        for (const row of rows) expect((await view.load([row])).get(rowId(row))).toBe(row.doc)
        await view.commit({ shard: 0, epoch: 1, from: at(1), to: at(2), upserts: [], deletes: rows })
        expect((await view.load(rows)).size).toBe(0)
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
          const narrow = projection(`things-${++views}`, { from: [Things], state, on: {} })
          const view = await tested.store.open(viewShapeOf(narrow))
          const { epoch } = await view.claim(0)
          const row = state.parse({ n: 1 })
          const upserts = [{ tenant: defaultTenant, key: 'k', position: 1, row, doc: JSON.stringify(row) }]
          await view.commit({ shard: 0, epoch, from: origin, to: at(1), upserts, deletes: keysOf(['other']) })
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
        const deletes = [{ tenant: 'one', key: 'k' }]
        await view.commit({ shard: 0, epoch: 1, from: at(1), to: at(2), upserts: [], deletes })
        expect((await view.load([...deletes, { tenant: 'two', key: 'k' }])).size).toBe(1)
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
        expect(await view.get([])).toEqual({ value: [], asOf: at(1) })
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
        expect([...(await view.load(rows)).values()]).toEqual([rows[0]?.doc])
      })
    })

    describe('lists', () => {
      const scalars: { [Column in 'name' | 'size' | 'weight' | 'done' | 'at']: readonly Scalar[] } = {
        name: ['', 'A', 'a', 'a b', 'ab', 'b', '~', 'é', '\uffee', '\u{1f600}'],
        size: [Number.MIN_SAFE_INTEGER, -1, 0, 9, 10, Number.MAX_SAFE_INTEGER],
        weight: [-1e300, -0.5, 0, 5e-324, 0.1, 9, 10],
        done: [false, true],
        at: [
          '0099-01-01T00:00:00Z',
          '2026-01-01T01:00:00+01:30',
          '2026-01-01T00:00:00Z',
          '2026-01-01T00:00:00.000001Z',
        ],
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
