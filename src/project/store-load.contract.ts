import { describe, expect, test } from 'vitest'
import { defaultTenant, origin } from '../log/index.ts'
import type { StoreUnderTest } from './store.contract.ts'
import type { Upsert, View } from './store.ts'
import { listed } from './store-lists.contract.ts'
import { at, gone, keysOf, newName, oddStrings, rowsIn, things, upsert } from './things.contract.ts'
import { viewShapeOf } from './view-shape.ts'

async function* pagesOf(rows: readonly Upsert[], pageRows = 7): AsyncGenerator<readonly Upsert[]> {
  for (let n = 0; n < rows.length; n += pageRows) yield rows.slice(n, n + pageRows)
}

/** What every view store must hold of rows that are loaded in bulk. */
export function loadContract(tested: () => StoreUnderTest, isApart: boolean): void {
  describe('bulk loads', () => {
    const open = (name = newName(), shards = 1): Promise<View> =>
      tested().store.open(viewShapeOf(things(name, 1, shards)))

    async function load(view: View, rows: readonly Upsert[], to = 5, shard = 0) {
      const { epoch, ...from } = await view.claim(shard)
      return view.bulkLoad({ shard, epoch, from, to: at(to), pages: pagesOf(rows) })
    }

    const loading = async (view: View, shard: number, position: number): Promise<void> =>
      view.loading(shard, (await view.checkpoint(shard)).epoch, { position, goal: 70, perSecond: position * 50 })

    test('rows are what a commit would have made of them, whatever is in them', async () => {
      const rows = [
        ...oddStrings.map((text, n) =>
          upsert(text === '' ? 'empty' : text.slice(0, 500), {
            ...{ name: text, note: text, size: n, weight: n / 3, done: n % 2 === 0 },
            nested: { deep: [{ text }] },
            tags: [text, text],
          }),
        ),
        upsert('low', { size: Number.MIN_SAFE_INTEGER, weight: -1.7976931348623157e308, at: '0001-01-01T00:00:00Z' }),
        upsert('tiny', { weight: 5e-324, at: '2026-11-21T03:30:00.123456+05:30' }),
        upsert(
          'full',
          { seen: '2026-11-21T03:30Z', counts: [1, -2], shares: [0.1, 1e-7], flags: [true, false] },
          4,
          'other',
        ),
        { ...upsert('spaced'), doc: '{ "name" : "plain",\t"size":1.0 }' },
      ]
      const view = await open()
      await loading(view, 0, 0)
      expect(await load(view, rows)).toBe('committed')
      await view.loaded(0)
      const { value, asOf } = await view.get(rows)
      expect(value).toEqual(rows.map(({ doc }) => doc))
      expect(asOf).toEqual(at(5))
      for (const row of rows.slice(0, oddStrings.length)) {
        expect(await listed(view, { index: ['name'], equal: [row.row['name'] as string] })).toEqual([row.key])
      }
      const stored = await view.snapshot(async ({ pages }) => {
        const all = []
        for await (const page of pages) all.push(...page)
        return all
      })
      const differing = stored.filter(row => row.differing.length > 0).map(({ key }) => key)
      expect(differing).toEqual(['spaced'])
      expect(stored.find(({ key }) => key === 'full')).toMatchObject({ tenant: 'other', position: 4 })
    })

    test('commits go on where a load ended', async () => {
      const view = await open()
      await load(view, [upsert('a'), upsert('b'), upsert('c')])
      const { epoch } = await view.checkpoint(0)
      const changes = { upserts: [upsert('a', { size: 9 }, 6), upsert('d')], deletes: gone(6, 'b') }
      expect(await view.commit({ shard: 0, epoch, from: at(5), to: at(6), ...changes })).toBe('committed')
      const rows = await rowsIn(view, keysOf(['a', 'b', 'c', 'd']))
      expect(Array.from(rows.values(), ({ doc }) => JSON.parse(doc).size)).toEqual([9, 1, 1])
    })

    test('a load of no rows moves the checkpoint', async () => {
      const view = await open()
      expect(await load(view, [])).toBe('committed')
      expect(await view.checkpoint(0)).toEqual({ ...at(5), epoch: 1 })
    })

    test('who was superseded writes nothing, before and during its load', async () => {
      const name = newName()
      const view = await open(name)
      const { epoch } = await view.claim(0)
      const other = await tested().other.open(viewShapeOf(things(name)))
      async function* takenOver(): AsyncGenerator<readonly Upsert[]> {
        yield [upsert('zombie')]
        // The embedded database is one connection: nobody else can be there while it writes.
        if (other !== view) await other.claim(0)
        yield [upsert('zombie-too')]
      }
      const commit = { shard: 0, epoch, from: origin, to: at(5) }
      if (tested().store !== tested().other) {
        expect(await view.bulkLoad({ ...commit, pages: takenOver() })).toBe('fenced')
      }
      await other.claim(0)
      expect(await view.bulkLoad({ ...commit, pages: pagesOf([upsert('zombie')]) })).toBe('fenced')
      const { value, asOf } = await view.get(keysOf(['zombie', 'zombie-too']))
      expect(asOf).toEqual(origin)
      if (!isApart) expect(value).toEqual([null, null])
      expect(await load(other, [upsert('zombie', { size: 3 })])).toBe('committed')
      expect(await view.bulkLoad({ ...commit, pages: pagesOf([upsert('zombie')]) })).toBe('fenced')
      expect((await view.load(keysOf(['zombie']))).size).toBe(1)
    })

    if (!isApart) {
      test('what ends in the midst of its pages has written nothing', async () => {
        const view = await open()
        const { epoch, ...from } = await view.claim(0)
        async function* failing(): AsyncGenerator<readonly Upsert[]> {
          yield Array.from({ length: 2000 }, (_, n) => upsert(`k${n}`))
          throw new Error('out of rows')
        }
        await expect(view.bulkLoad({ shard: 0, epoch, from, to: at(5), pages: failing() })).rejects.toThrow(
          'out of rows',
        )
        expect(await view.get(keysOf(['k0']))).toMatchObject({ value: [null], asOf: origin })
        expect(await view.bulkLoad({ shard: 0, epoch, from, to: at(5), pages: pagesOf([upsert('k0')]) })).toBe(
          'committed',
        )
      })
    }

    if (!isApart) {
      test('a view whose past another one needs is not loaded in bulk', async () => {
        const shape = { ...viewShapeOf(things()), past: true }
        const referred = await tested().store.open(shape)
        const refs = [{ name: 'owner', to: 'owners 1' }]
        const referring = await tested().store.open({ ...viewShapeOf(things()), refs })
        const { generation, projection } = referred
        await referring.refer({ projection, generation })
        const { epoch, ...from } = await referring.claim(0)
        await referring.commit({ shard: 0, epoch, from, to: at(3), upserts: [], deletes: [] })
        expect(await load(referred, [upsert('a')])).toBe('needs-past')
        expect(await referred.get(keysOf(['a']))).toMatchObject({ value: [null], asOf: origin })
        const alone = await tested().store.open({ ...viewShapeOf(things()), past: true })
        expect(await load(alone, [upsert('a')])).toBe('committed')
        expect((await alone.asOf(keysOf(['a']), 5)).size).toBe(1)
        expect(await alone.changes({ after: 0, through: 9, limit: 9 })).toMatchObject({ changed: [], pastFrom: 5 })
      })
    }

    test('shards are loaded at once, each for itself', async () => {
      const view = await open(newName(), 3)
      const shards = [0, 1, 2].map(shard =>
        load(
          view,
          Array.from({ length: 500 }, (_, n) => upsert(`s${shard}-${n}`)),
          4 + shard,
          shard,
        ),
      )
      expect(await Promise.all(shards)).toEqual(['committed', 'committed', 'committed'])
      expect((await view.checkpoints()).map(({ position }) => position)).toEqual([4, 5, 6])
      expect((await view.load(keysOf(['s0-0', 's1-499', 's2-7']))).size).toBe(3)
    })

    test('a generation that is being loaded says how far it is, and does not come to serve before all of it is', async () => {
      const name = newName()
      await open(name, 2)
      const rebuilt = await tested().store.rebuild(viewShapeOf(things(name, 1, 2)))
      await loading(rebuilt, 1, 0)
      await loading(rebuilt, 1, 20)
      const generation = async () =>
        (await tested().other.generations(name)).find(one => one.generation === rebuilt.generation)
      const at20 = { shard: 1, position: 20, goal: 70, perSecond: 1000 }
      expect((await generation())?.loads).toEqual([at20])
      const activate = () => tested().other.activate(name, rebuilt.generation)
      expect(await activate()).toEqual({ kind: 'loading' })
      // Opening it meanwhile makes no index.
      await tested().other.open(viewShapeOf(things(name, 1, 2)))
      await load(rebuilt, [upsert('b', { size: 2 })], 5, 1)
      await rebuilt.loaded(1)
      expect(await activate()).toEqual({ kind: 'loading' })
      expect((await generation())?.loads).toEqual([])
      await load(rebuilt, [upsert('a', { size: 1 })], 5, 0)
      const [changed] = await Promise.all([
        new Promise(resolve => {
          const end = tested().other.onGenerations(changedName => {
            if (changedName !== name) return
            end()
            resolve('heard')
          })
        }),
        rebuilt.loaded(0),
      ])
      expect(changed).toBe('heard')
      await rebuilt.loaded(0)
      expect(await listed(rebuilt, { index: ['size'] })).toEqual(['a', 'b'])
      expect(await activate()).toEqual({ kind: 'activated' })
    })

    test('who was superseded, or comes late, says in vain that a shard is being loaded', async () => {
      const name = newName()
      await open(name, 2)
      const rebuilt = await tested().store.rebuild(viewShapeOf(things(name, 1, 2)))
      const { epoch } = await rebuilt.claim(0)
      const progress = { position: 0, goal: 70, perSecond: 0 }
      const loads = async () =>
        (await tested().other.generations(name)).find(one => one.generation === rebuilt.generation)?.loads
      await rebuilt.claim(0)
      await rebuilt.loading(0, epoch, progress)
      expect(await loads()).toEqual([])
      for (const shard of [0, 1]) {
        await loading(rebuilt, shard, 0)
        await load(rebuilt, [], 5, shard)
        await rebuilt.loaded(shard)
      }
      await loading(rebuilt, 0, 0)
      expect(await loads()).toEqual([])
      expect(await tested().other.activate(name, rebuilt.generation)).toEqual({ kind: 'activated' })
    })

    test('a shard that came past its beginning without being loaded in bulk is not waited for', async () => {
      const name = newName()
      await open(name, 2)
      const rebuilt = await tested().store.rebuild(viewShapeOf(things(name, 1, 2)))
      const { epoch, ...from } = await rebuilt.claim(0)
      await rebuilt.commit({ shard: 0, epoch, from, to: at(5), upserts: [], deletes: [] })
      await rebuilt.loaded(0)
      await loading(rebuilt, 1, 0)
      await load(rebuilt, [upsert('b')], 5, 1)
      await rebuilt.loaded(1)
      expect(await tested().other.activate(name, rebuilt.generation)).toEqual({ kind: 'activated' })
    })

    test('one that is dropped while it is loaded is gone', async () => {
      const name = newName()
      await open(name)
      const view = await tested().store.rebuild(viewShapeOf(things(name)))
      await loading(view, 0, 0)
      expect(await tested().other.drop(name, view.generation)).toBe('dropped')
      expect((await tested().store.generations(name)).map(({ loads }) => loads)).toEqual([[]])
      const commit = { shard: 0, epoch: 1, from: origin, to: at(5), pages: pagesOf([upsert('k')]) }
      const outcome = await view.bulkLoad(commit).catch((error: unknown) => error)
      if (outcome !== 'fenced') expect(outcome).toMatchObject({ code: 'project/generation-dropped' })
      await view.loaded(0)
    })

    test('thousands of rows are loaded in one', async () => {
      const view = await open()
      const rows = Array.from({ length: 5000 }, (_, n) => upsert(`k${n}`, { name: `name\n${n}`, size: n }))
      const { epoch, ...from } = await view.claim(0)
      expect(await view.bulkLoad({ shard: 0, epoch, from, to: at(5), pages: pagesOf(rows, 1000) })).toBe('committed')
      expect((await view.load(rows)).size).toBe(5000)
      expect(await view.get([{ tenant: defaultTenant, key: 'k4999' }])).toMatchObject({ value: [rows.at(-1)?.doc] })
    })
  })
}
