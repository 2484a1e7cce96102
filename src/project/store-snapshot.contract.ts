import { describe, expect, test } from 'vitest'
import { defaultTenant, origin } from '../log/index.ts'
import { compareText } from './order.ts'
import type { Snapshot, StoredRow, Upsert, View, ViewStore } from './store.ts'
import { at, gone, oddStrings, things, upsert } from './things.contract.ts'
import { viewShapeOf } from './view-shape.ts'

async function rowsOf({ pages }: Snapshot): Promise<StoredRow[]> {
  const rows: StoredRow[] = []
  for await (const page of pages) rows.push(...page)
  return rows
}

/** What every view store must hold of snapshots. `viewWith` makes a view with these rows at position 1. */
export function snapshotContract(
  store: () => ViewStore,
  viewWith: (...upserts: readonly Upsert[]) => Promise<View>,
): void {
  describe('snapshots', () => {
    test('a new view has no rows, and its shard stands at the origin', async () => {
      const view = await store().open(viewShapeOf(things()))
      const seen = await view.snapshot(async snapshot => [snapshot.checkpoints, await rowsOf(snapshot)])
      expect(seen).toEqual([[{ ...origin, shard: 0, epoch: 0 }], []])
    })

    test('all rows come once, whole, tenant by tenant and key by key', async () => {
      const keys = [...oddStrings.map(text => text.slice(0, 100) || 'empty'), '\uffee', '\u{1f600}', 'a', 'A']
      const upserts = ['b', 'B', defaultTenant].flatMap(tenant =>
        [...new Set(keys)].map((key, n) => upsert(key, { name: key, size: n }, n + 1, tenant)),
      )
      const view = await viewWith(...upserts)
      const seen = await view.snapshot(rowsOf)
      const inOrder = upserts.toSorted((a, b) => compareText(a.tenant, b.tenant) || compareText(a.key, b.key))
      expect(seen).toEqual(
        inOrder.map(({ tenant, key, position, doc }) => ({ tenant, key, position, doc, differing: [] })),
      )
    })

    test('rows and checkpoints are of one moment, whatever is committed while they are read', async () => {
      const rows = Array.from({ length: 2500 }, (_, n) => upsert(`k${String(n).padStart(4, '0')}`, { size: n }))
      const view = await viewWith(...rows)
      let committed: Promise<unknown> = Promise.resolve()
      const [checkpoints, seen] = await view.snapshot(async snapshot => {
        const change = {
          upserts: [upsert('k2400', { size: -1 }, 2), upsert('k9999', {}, 2)],
          deletes: gone(2, 'k2300'),
        }
        committed = view.commit({ shard: 0, epoch: 1, from: at(1), to: at(2), ...change })
        // One that has a single connection commits afterwards.
        await Promise.race([committed, new Promise(resolve => setTimeout(resolve, 200))])
        return [snapshot.checkpoints, await rowsOf(snapshot)] as const
      })
      expect(checkpoints).toEqual([{ ...at(1), shard: 0, epoch: 1 }])
      expect(seen.map(({ doc }) => doc)).toEqual(rows.map(({ doc }) => doc))
      expect(await committed).toBe('committed')
      const later = await view.snapshot(async snapshot => [snapshot.checkpoints, (await rowsOf(snapshot)).length])
      expect(later).toEqual([[{ ...at(2), shard: 0, epoch: 1 }], 2500])
    })

    test('every shard is in it', async () => {
      const view = await store().open(viewShapeOf(things(undefined, 1, 4)))
      const { epoch } = await view.claim(2)
      await view.claim(1)
      await view.claim(1)
      await view.commit({ shard: 2, epoch, from: origin, to: at(1), upserts: [], deletes: [] })
      const checkpoints = await view.snapshot(async snapshot => snapshot.checkpoints)
      expect(checkpoints).toEqual([
        { ...origin, shard: 0, epoch: 0 },
        { ...origin, shard: 1, epoch: 2 },
        { ...at(1), shard: 2, epoch: 1 },
        { ...origin, shard: 3, epoch: 0 },
      ])
    })

    test('columns that say something else than the document are named, for every type of column', async () => {
      const same = upsert('same', {
        weight: 1e-7,
        seen: '2026-11-21T09:00:00.5+05:30',
        nested: { deep: [{ text: 'a' }] },
      })
      const changed = { note: 'n', size: 2, weight: 0.25, done: true, at: '2026-11-21T03:30:01Z' }
      const nested = { nested: { deep: [{ text: 'b' }] }, tags: ['t'], counts: [1], shares: [0.5], flags: [false] }
      const other = { ...changed, ...nested, seen: '2026-11-21T03:30:00Z' }
      const row = (key: string, doc: object) => ({ ...upsert(key, other), doc: JSON.stringify(doc) })
      const { doc } = upsert('', other)
      const view = await viewWith(
        { ...same, doc: same.doc.replace('2026-11-21T09:00:00.5+05:30', '2026-11-21T03:30:00.500Z') },
        row('differs', upsert('', {}).row),
        row('partly', { ...JSON.parse(doc), size: 3, at: 'no time' }),
        row('none', []),
      )
      const differing = await view.snapshot(async snapshot =>
        (await rowsOf(snapshot)).map(stored => [stored.key, stored.differing.toSorted()]),
      )
      const all = Object.keys(JSON.parse(doc)).toSorted()
      expect(differing).toEqual([
        ['differs', all.filter(name => name !== 'name')],
        ['none', all],
        ['partly', ['at', 'size']],
        ['same', []],
      ])
    })

    test('an error of whoever reads is passed on, and the view is as usable as before', async () => {
      const view = await viewWith(upsert('k'))
      const failing = view.snapshot(async ({ pages }) => {
        for await (const page of pages) throw new RangeError(`${page.length} row`)
      })
      await expect(failing).rejects.toThrow(new RangeError('1 row'))
      expect(await view.snapshot(rowsOf)).toHaveLength(1)
    })
  })
}
