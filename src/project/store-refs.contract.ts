import { describe, expect, test } from 'vitest'
import { defaultTenant, origin } from '../log/index.ts'
import type { PastRow } from './referred.ts'
import { shardOf } from './shard-of.ts'
import type { StoreUnderTest } from './store.contract.ts'
import { type RowKey, rowId, type Upsert, type View, type ViewCommit } from './store.ts'
import { at, gone, keysOf, newName, oddStrings, plain, things, upsert } from './things.contract.ts'
import { viewShapeOf } from './view-shape.ts'

const doc = (size: number): string => JSON.stringify({ ...plain, size })
const was = (key: string, position: number, before: string | null, tenant = defaultTenant): PastRow => ({
  ...{ tenant, key, position, fingerprint: at(position).fingerprint, doc: before },
})

/** What every view store must hold of rows that are made with rows of other views. */
export function refsContract(tested: () => StoreUnderTest, isApart: boolean): void {
  const referredShape = (name: string, shards = 1) => ({ ...viewShapeOf(things(name, 1, shards)), past: true })
  const openReferred = (name = newName(), shards = 1): Promise<View> => tested().store.open(referredShape(name, shards))
  const refs = [{ name: 'owner', to: 'owners 1' }]
  const referringShape = (name: string, shards = 1) => ({ ...viewShapeOf(things(name, 1, shards)), refs })
  const openReferring = (name = newName(), shards = 1): Promise<View> =>
    tested().store.open(referringShape(name, shards))

  /** Commits of one shard, from where it stands. */
  async function committer(view: View, shard = 0) {
    const { epoch, position } = await view.claim(shard)
    let from = position
    return async (to: number, change: Partial<ViewCommit>): Promise<void> => {
      const whole = { upserts: [], deletes: [], ...change }
      expect(await view.commit({ shard, epoch, from: at(from), to: at(to), ...whole })).toBe('committed')
      from = to
    }
  }
  const ownedBy = (owner: string | null, row: Upsert): Upsert => ({ ...row, refs: { owner } })
  const sizesAt = async (view: View, position: number, keys: readonly string[]): Promise<(number | null)[]> => {
    const docs = await view.asOf(keysOf(keys), position)
    return keysOf(keys).map(key => (docs.has(rowId(key)) ? JSON.parse(docs.get(rowId(key)) as string).size : null))
  }

  if (!isApart) {
    describe('a view that others refer to', () => {
      test('has every row as it was at every position', async () => {
        const view = await openReferred()
        const commit = await committer(view)
        await commit(3, { upserts: [upsert('a', { size: 3 }, 3)], past: [was('a', 1, null), was('a', 3, doc(1))] })
        const deleted = { deletes: gone(5, 'a'), past: [was('b', 4, null), was('a', 5, doc(3))] }
        await commit(5, { upserts: [upsert('b', { size: 4 }, 4)], ...deleted })
        await commit(9, { upserts: [upsert('a', { size: 8 }, 8)], past: [was('a', 8, null)] })
        const sizes = await Promise.all([0, 1, 2, 3, 4, 5, 7, 8, 9].map(p => sizesAt(view, p, ['a', 'none', 'b'])))
        expect(sizes.map(([a]) => a)).toEqual([null, 1, 1, 3, 3, null, null, 8, 8])
        expect(sizes.map(([, none]) => none)).toEqual(sizes.map(() => null))
        expect(sizes.map(([, , b]) => b)).toEqual([null, null, null, null, 4, 4, 4, 4, 4])
        expect((await view.asOf([], 3)).size).toBe(0)
      })

      test('keeps what rows were to the byte, whatever their keys and texts, tenant by tenant', async () => {
        const view = await openReferred()
        const commit = await committer(view)
        const docs = oddStrings.map(text => JSON.stringify({ ...plain, name: text }))
        const keys = oddStrings.map(text => text.slice(0, 300) || 'empty')
        const past = keys.flatMap((key, n) => [
          was(key, 2, docs[n] as string),
          was(key, 2, docs[(n + 1) % docs.length] as string, 'other'),
        ])
        await commit(2, { past })
        const found = await view.asOf([...keysOf(keys), ...keysOf(keys, 'other')], 1)
        expect([...found.values()]).toEqual([...docs, ...docs.slice(1), docs[0]])
      })

      test('answers what changed between two positions, never dividing an event, with its lowest checkpoint', async () => {
        const view = await openReferred(newName(), 2)
        const [first, second] = [await committer(view, 0), await committer(view, 1)]
        await first(9, { past: [was('a', 2, null), was('b', 4, null), was('c', 4, null), was('a', 7, doc(1))] })
        await second(6, { past: [was('d', 5, null)] })
        const changes = async (after: number, through: number, limit: number) => {
          const { asOf, changed } = await view.changes({ after, through, limit })
          expect(asOf).toEqual(at(6))
          for (const { position, fingerprint } of changed) expect(fingerprint).toBe(at(position).fingerprint)
          return changed.map(({ key, position }) => `${key}${position}`)
        }
        expect(await changes(0, 9, 10)).toEqual(['a2', 'b4', 'c4', 'd5', 'a7'])
        expect(await changes(2, 5, 10)).toEqual(['b4', 'c4', 'd5'])
        expect(await changes(0, 9, 1)).toEqual(['a2'])
        expect(await changes(0, 9, 2)).toEqual(['a2', 'b4', 'c4'])
        expect(await changes(2, 9, 1)).toEqual(['b4', 'c4'])
        expect(await changes(7, 9, 10)).toEqual([])
      })

      test('an entry takes the place of one that the same row has at the same position', async () => {
        const view = await openReferred()
        const commit = await committer(view)
        const late = (size: number): PastRow => ({ ...was('a', 5, doc(size)), fingerprint: '' })
        await commit(4, { upserts: [upsert('a', { size: 2 }, 4)], past: [was('a', 4, doc(1)), late(2)] })
        await commit(4, { upserts: [upsert('a', { size: 3 }, 4)], past: [late(3)] })
        expect(await sizesAt(view, 4, ['a'])).toEqual([3])
        const query = { after: 4, through: 9, limit: 9 }
        const changed = { tenant: defaultTenant, key: 'a', position: 5, fingerprint: '' }
        expect((await view.changes(query)).changed).toEqual([changed])
        await commit(5, { upserts: [upsert('a', { size: 4 }, 5)], past: [was('a', 5, doc(3))] })
        expect((await view.changes(query)).changed).toEqual([{ ...changed, fingerprint: at(5).fingerprint }])
        expect(await sizesAt(view, 4, ['a'])).toEqual([3])
      })

      test('says how far the shards are that have parked keys', async () => {
        const view = await openReferred(newName(), 3)
        const commits = await Promise.all([0, 1, 2].map(shard => committer(view, shard)))
        const heldAt = async () => (await view.changes({ after: 0, through: 9, limit: 9 })).heldAt
        for (const [shard, to] of [9, 7, 5].entries()) await commits[shard]?.(to, {})
        expect(await heldAt()).toBeUndefined()
        const keyIn = (shard: number) =>
          keysOf(Array.from({ length: 99 }, (_, n) => `k-${n}`)).find(row => shardOf(row, 3) === shard)
        const none = { parked: [], letters: [], drained: [], skipped: [], answered: [], maxEvents: 9 }
        const parked = (shard: number, position: number) => {
          const letter = { ...(keyIn(shard) as RowKey), position }
          const since = '2026-01-01T00:00:00.000Z'
          const failed = { ...letter, code: 'project/fold-failed', message: 'm', attempts: 1, since }
          return { parking: { ...none, parked: [failed], letters: [letter] } }
        }
        await commits[0]?.(12, parked(0, 12))
        expect(await heldAt()).toEqual(at(12))
        await commits[1]?.(8, parked(1, 8))
        expect(await heldAt()).toEqual(at(8))
        await commits[1]?.(8, { parking: { ...none, drained: [{ ...(keyIn(1) as RowKey), position: 8 }] } })
        expect(await heldAt()).toEqual(at(12))
      })

      test('a fenced commit leaves nothing behind', async () => {
        const view = await openReferred()
        const { epoch } = await view.claim(0)
        await view.claim(0)
        const change = { upserts: [upsert('a')], deletes: [], past: [was('a', 1, null)], cursor: 'c' }
        expect(await view.commit({ shard: 0, epoch, from: origin, to: at(1), ...change })).toBe('fenced')
        expect((await view.changes({ after: 0, through: 9, limit: 9 })).changed).toEqual([])
        expect(await view.checkpoint(0)).toEqual({ ...origin, epoch: 2 })
      })

      test('keeps the past that somebody has not passed, in any shard, and lets go of the rest in bounded steps', async () => {
        const view = await openReferred()
        const commit = await committer(view)
        const one = await openReferring(newName(), 2)
        const another = await openReferring()
        const to = { projection: view.projection, generation: view.generation }
        expect([await one.refer(to), await one.refer(to), await another.refer(to)]).toEqual([1, 1, 1])
        const past = [1, 2, 3, 4, 5].map(n => was('a', n, n === 1 ? null : doc(n - 1)))
        await commit(6, { upserts: [upsert('a', { size: 5 }, 5)], past })
        const left = async () => (await view.changes({ after: 0, through: 9, limit: 9 })).changed.map(c => c.position)
        expect(await view.prune(10)).toBe(0)
        await (await committer(one, 0))(6, {})
        await (await committer(one, 1))(3, {})
        await (await committer(another))(4, {})
        expect(await view.prune(2)).toBe(2)
        expect(await left()).toEqual([3, 4, 5])
        expect([await view.prune(2), await view.prune(2)]).toEqual([1, 0])
        expect(await left()).toEqual([4, 5])
        expect(await sizesAt(view, 3, ['a'])).toEqual([3])
        // As of an earlier position rows are as of the earliest that is known.
        expect(await sizesAt(view, 1, ['a'])).toEqual([3])
        expect((await view.changes({ after: 5, through: 9, limit: 9 })).pastFrom).toBe(3)
      })

      test('to which nobody refers lets go of everything up to its checkpoint', async () => {
        const view = await openReferred()
        await (await committer(view))(4, { past: [was('a', 1, null), was('a', 4, doc(1))] })
        expect(await view.prune(10)).toBe(2)
        expect((await view.changes({ after: 0, through: 9, limit: 9 })).changed).toEqual([])
      })
    })
  }

  describe('a view that refers to others', () => {
    test('finds its rows by what they refer to: those of the shard, of the tenant, in order, from one on', async () => {
      const view = await openReferring(newName(), 2)
      const commits = [await committer(view, 0), await committer(view, 1)]
      const keys = ['a', 'B', 'c', 'd', 'e', '\uffee', '\u{1f600}', 'f', 'g']
      const own = keys.map((key, n) => ownedBy(['o-1', 'o-2', null][n % 3] as string | null, upsert(key)))
      const others = keys.map(key => ownedBy('o-1', upsert(key, {}, 1, 'other')))
      for (const shard of [0, 1]) {
        await commits[shard]?.(1, { upserts: [...own, ...others].filter(row => shardOf(row, 2) === shard) })
      }
      const wanted = keysOf(['o-2', 'none', 'o-1'])
      const find = async (shard: number, after?: string, limit = 99, of = wanted) => {
        const query = { shard, ref: 'owner', keys: of, limit, ...(after !== undefined && { after }) }
        return (await view.dependents(query)).map(({ key, of: n }) => `${n}${key}`)
      }
      const both = [...(await find(0)), ...(await find(1))]
      expect(both.toSorted()).toEqual(['0B', '0e', '0f', '2a', '2d', '2\u{1f600}'].toSorted())
      for (const shard of [0, 1]) {
        const all = await find(shard)
        const sorted = all.toSorted((a, b) => (Buffer.from(a) < Buffer.from(b) ? -1 : 1))
        expect(all).toEqual(sorted)
        expect(await find(shard, undefined, 2)).toEqual(all.slice(0, 2))
        const [first = ''] = all
        if (first.startsWith('0')) expect(await find(shard, first.slice(1))).toEqual(all.slice(1))
      }
      const foreign = keysOf(['o-1'], 'other')
      expect((await find(0, undefined, 99, foreign)).length + (await find(1, undefined, 99, foreign)).length).toBe(9)
      expect(await find(0, undefined, 99, [])).toEqual([])
    })

    test('finds a row by what it refers to now', async () => {
      const view = await openReferring()
      const commit = await committer(view)
      await commit(1, { upserts: [ownedBy('x', upsert('a')), ownedBy('x', upsert('b')), ownedBy('x', upsert('c'))] })
      await commit(2, { upserts: [ownedBy('y', upsert('a')), ownedBy(null, upsert('b'))], deletes: gone(2, 'c') })
      const found = await view.dependents({ shard: 0, ref: 'owner', keys: keysOf(['x', 'y']), limit: 9 })
      expect(found).toEqual([{ tenant: defaultTenant, key: 'a', of: 1 }])
    })

    test('takes any text for what a row refers to', async () => {
      const view = await openReferring()
      const commit = await committer(view)
      const owners = oddStrings.map(text => text.slice(0, 300))
      await commit(1, { upserts: owners.map((owner, n) => ownedBy(owner, upsert(`k${n}`))) })
      const named = owners.flatMap((owner, n) => (owner === '' ? [] : [[owner, n] as const]))
      const query = { shard: 0, ref: 'owner', keys: keysOf(named.map(([owner]) => owner)), limit: 99 }
      expect((await view.dependents(query)).map(({ key }) => key)).toEqual(named.map(([, n]) => `k${n}`))
    })

    test('a snapshot has what each row refers to, as it is stored', async () => {
      const view = await openReferring()
      const commit = await committer(view)
      await commit(1, { upserts: [ownedBy('ada', upsert('a')), ownedBy(null, upsert('b'))] })
      const rows = await view.snapshot(async ({ pages }) => {
        const all = []
        for await (const page of pages) all.push(...page)
        return all
      })
      expect(rows.map(({ key, refs: found }) => [key, found])).toEqual([
        ['a', { owner: 'ada' }],
        ['b', { owner: null }],
      ])
      expect(rows.filter(({ shard }) => shard !== undefined && shard !== 0)).toEqual([])
    })

    test('a commit that stays where it is leaves a cursor, which holds until one moves on', async () => {
      const view = await openReferring()
      const commit = await committer(view)
      await commit(4, { upserts: [upsert('a')] })
      await commit(4, { upserts: [upsert('a', { size: 2 }, 0)], cursor: 'one\n"1"' })
      await commit(4, { upserts: [upsert('b', { size: 2 }, 0)], cursor: 'two' })
      expect(await view.claim(0)).toEqual({ ...at(4), epoch: 2, cursor: 'two' })
      expect(await view.checkpoint(0)).toEqual({ ...at(4), epoch: 2, cursor: 'two' })
      const inSnapshot = await view.snapshot(async ({ checkpoints }) => checkpoints)
      expect(inSnapshot).toEqual([{ ...at(4), shard: 0, epoch: 2, cursor: 'two' }])
      const moved = { upserts: [], deletes: [] }
      expect(await view.commit({ shard: 0, epoch: 2, from: at(4), to: at(8), ...moved })).toBe('committed')
      expect(await view.checkpoint(0)).toEqual({ ...at(8), epoch: 2 })
      expect(await view.checkpoints()).toEqual([{ ...at(8), shard: 0, epoch: 2 }])
    })
  })

  describe('generations of views that are joined', () => {
    if (!isApart) {
      test('one that another one refers to is dropped after that one', async () => {
        const [name, other] = [newName(), newName()]
        const [first, second] = [await openReferred(name), await tested().store.rebuild(referredShape(name))]
        const referring = [await openReferring(other), await tested().store.rebuild(referringShape(other))] as const
        await referring[1].refer({ projection: name, generation: second.generation })
        expect(await tested().store.drop(name, second.generation)).toBe('in-use')
        expect(await tested().store.drop(other, referring[1].generation)).toBe('dropped')
        expect(await tested().other.drop(name, second.generation)).toBe('dropped')
        await expect(referring[0].refer({ projection: name, generation: second.generation })).rejects.toMatchObject({
          code: 'project/generation-dropped',
        })
        // What is dropped itself holds nothing any more.
        await expect(referring[1].refer({ projection: name, generation: first.generation })).rejects.toMatchObject({
          code: 'project/generation-dropped',
          data: { projection: other, generation: referring[1].generation },
        })
        expect(await referring[0].refer({ projection: name, generation: first.generation })).toBe(1)
      })
    }

    if (!isApart) {
      test('rows are made with one generation of a view, the first one that was named', async () => {
        const name = newName()
        const first = await openReferred(name)
        const second = await tested().store.rebuild(referredShape(name))
        const referring = await openReferring()
        expect(await referring.refersTo(name)).toBeUndefined()
        expect(await referring.refer({ projection: name, generation: first.generation })).toBe(first.generation)
        const again = await tested().other.open(referringShape(referring.projection))
        expect([await again.refersTo(name), await again.refersTo('another')]).toEqual([first.generation, undefined])
        expect(await again.refer({ projection: name, generation: second.generation })).toBe(first.generation)
      })
    }

    if (!isApart) {
      test('one that is reset has no past, and needs again what it had passed', async () => {
        const [referred, referring] = [await openReferred(), await openReferring()]
        await referring.refer({ projection: referred.projection, generation: referred.generation })
        await (await committer(referred))(4, { past: [was('a', 1, null), was('a', 4, doc(1))] })
        await (await committer(referring))(4, { upserts: [ownedBy('a', upsert('k'))] })
        expect(await tested().store.reset(referring.projection, referring.generation)).toBe('reset')
        expect(await referred.prune(10)).toBe(0)
        expect(await tested().store.reset(referred.projection, referred.generation)).toBe('reset')
        const none = { asOf: origin, changed: [], pastFrom: 0 }
        expect(await referred.changes({ after: 0, through: 9, limit: 9 })).toEqual(none)
      })
    }

    if (!isApart) {
      test('who refers to one that is reset writes nothing of what was read of it', async () => {
        const [referred, referring] = [await openReferred(), await openReferring(newName(), 2)]
        await referring.refer(referred)
        const { epoch } = await referring.claim(1)
        expect(await tested().store.reset(referred.projection, referred.generation)).toBe('reset')
        const late = { shard: 1, epoch, from: origin, to: at(1), upserts: [], deletes: [] }
        expect(await referring.commit(late)).toBe('fenced')
        await (await committer(referring, 1))(1, {})
      })
    }

    if (!isApart) {
      test('one that others begin to refer to gets a generation that keeps its past, which then serves everybody', async () => {
        const name = newName()
        const before = await tested().store.open(viewShapeOf(things(name)))
        expect(before.keepsPast).toBe(false)
        const after = await tested().other.open({ ...viewShapeOf(things(name)), past: true })
        expect([after.generation, after.keepsPast]).toEqual([2, true])
        const plainly = await tested().store.open(viewShapeOf(things(name)))
        expect([plainly.generation, plainly.keepsPast]).toEqual([2, true])
      })
    }

    test('other references, or others that they lead to, make a generation', async () => {
      const name = newName()
      const shape = viewShapeOf(things(name))
      const [a, b] = ['a', 'b'].map(ref => ({ name: ref, to: 'owners 1' }))
      const all = [[], [a], [a, b], [b, a], [{ ...a, to: 'owners 2' }], [a]] as const
      const opened: number[] = []
      for (const given of all) {
        opened.push((await tested().store.open({ ...shape, refs: given as never })).generation)
      }
      expect(opened).toEqual([1, 2, 3, 3, 4, 2])
    })
  })
}
