import { expect, test } from 'vitest'
import { z } from 'zod'
import { type AnyProjection, events, projection, type RecordedEvent } from '../define/index.ts'
import { origin, type Page, systemRuntime } from '../log/index.ts'
import { makeFolding } from './fold.ts'
import { type BatchContext, prepareBatch } from './prepare-batch.ts'
import { makeRowCache } from './row-cache.ts'
import { type RowKey, rowId } from './store.ts'
import { viewShapeOf } from './view-shape.ts'

const Things = events('thing', { Happened: z.object({}), Failed: z.object({}), Ended: z.object({}) })
const Counts = projection('counts', {
  from: [Things],
  state: z.object({ n: z.int() }),
  on: {
    Happened: row => ({ n: (row?.n ?? 0) + 1 }),
    Failed: () => {
      throw new Error('failed')
    },
    Ended: () => null,
  },
})

function context(
  cacheBytes = 10_000,
  of: AnyProjection = Counts,
): BatchContext & { readonly loads: string[][]; readonly stored: Map<string, string> } {
  const stored = new Map<string, string>()
  const loads: string[][] = []
  const load = async (keys: readonly RowKey[]) => {
    loads.push(keys.map(({ key }) => key))
    return new Map(keys.map(rowId).flatMap(id => (stored.has(id) ? [[id, stored.get(id) as string]] : [])))
  }
  const folding = makeFolding(viewShapeOf(of))
  return {
    folding,
    view: { load },
    cache: makeRowCache(cacheBytes),
    runtime: systemRuntime,
    turnEvents: 2,
    loads,
    stored,
  }
}

const fingerprint = (position: number): string => position.toString().padStart(12, '0')

function page(first: number, ...happened: readonly (readonly [type: string, streamId: string])[]): Page {
  const recorded = happened.map(
    ([type, streamId], n): RecordedEvent => ({
      category: 'thing',
      type,
      data: {},
      id: `00000000-0000-7000-8000-${fingerprint(first + n)}`,
      tenant: 'default',
      streamId,
      version: 1,
      position: first + n,
      schemaVersion: 1,
      tags: [],
      metadata: {},
      recordedAt: '2026-01-01T00:00:00.000000Z',
    }),
  )
  const last = first + happened.length - 1
  return { events: recorded, through: { position: last, fingerprint: fingerprint(last) }, atHead: true }
}

test('rows that this process does not know are loaded together, and once', async () => {
  const known = context()
  known.stored.set(rowId({ tenant: 'default', key: 'b' }), '{"n":5}')
  const first = page(1, ['Happened', 'a'], ['Happened', 'b'], ['Happened', 'a'])
  const batch = await prepareBatch(first, origin, known)
  expect(batch.upserts.map(({ key, doc, position }) => [key, doc, position])).toEqual([
    ['a', '{"n":2}', 3],
    ['b', '{"n":6}', 2],
  ])
  const second = await prepareBatch(page(4, ['Happened', 'b'], ['Ended', 'a'], ['Happened', 'c']), batch.to, known)
  expect(second.upserts.map(({ key, doc }) => [key, doc])).toEqual([
    ['b', '{"n":7}'],
    ['c', '{"n":1}'],
  ])
  expect(second.deletes).toEqual([{ tenant: 'default', key: 'a' }])
  expect(known.loads).toEqual([['a', 'b'], ['c']])
})

test('in a view without rows nothing is loaded', async () => {
  const empty = context()
  empty.cache.clear(true)
  const { upserts } = await prepareBatch(page(1, ['Happened', 'a'], ['Happened', 'b']), origin, empty)
  expect(upserts).toHaveLength(2)
  expect(empty.loads).toEqual([])
})

test('rows that were forgotten for want of room are loaded again', async () => {
  const small = context(1000)
  small.cache.clear(true)
  const keys = Array.from({ length: 20 }, (_, n) => `k${n}`)
  for (const [n, key] of keys.entries()) await prepareBatch(page(n + 1, ['Happened', key]), origin, small)
  expect(small.loads.length).toBeLessThan(20)
  small.loads.length = 0
  await prepareBatch(page(21, ['Happened', 'k0'], ['Happened', 'k19']), origin, small)
  expect(small.loads).toEqual([['k0']])
})

test('what lies behind an event that fails is not written, and the batch ends before it', async () => {
  const failing = context()
  const events = page(1, ['Happened', 'a'], ['Happened', 'b'], ['Failed', 'a'], ['Happened', 'b'], ['Ended', 'c'])
  const batch = await prepareBatch(events, origin, failing)
  expect(batch.failure?.event.position).toBe(3)
  expect(batch.to).toEqual({ position: 2, fingerprint: fingerprint(2) })
  expect(batch.upserts.map(({ key, position }) => [key, position])).toEqual([
    ['a', 1],
    ['b', 2],
  ])
  expect(batch.deletes).toEqual([])
  const nothing = await prepareBatch(page(3, ['Failed', 'a'], ['Happened', 'b']), batch.to, failing)
  expect(nothing).toMatchObject({ to: batch.to, upserts: [], deletes: [] })
})

test('a fold that changes the row it is given is stopped there, and nothing of it is written', async () => {
  const changing = projection('changing', {
    from: [Things],
    state: z.object({ n: z.int(), list: z.array(z.int()) }),
    on: {
      Happened: row => ({ n: (row?.n ?? 0) + 1, list: [...(row?.list ?? []), 1] }),
      Failed: row => {
        row?.list.push(2)
        throw new Error('failed')
      },
      Ended: row => Object.assign(row ?? { n: 0, list: [] }, { n: 100 }),
    },
  })
  const doc = '{"n":1,"list":[1]}'
  const thrown = 'TypeError'
  for (const type of ['Failed', 'Ended']) {
    const known = context(10_000, changing)
    known.stored.set(rowId({ tenant: 'default', key: 'b' }), doc)
    const batch = await prepareBatch(page(1, ['Happened', 'a'], [type, 'a']), origin, known)
    expect(batch).toMatchObject({ to: { position: 1 }, failure: { error: { data: { part: 'on', error: thrown } } } })
    expect(batch.upserts.map(upsert => upsert.doc)).toEqual([doc])
    const loaded = await prepareBatch(page(3, [type, 'b']), { position: 2, fingerprint: '' }, known)
    expect(loaded).toMatchObject({ upserts: [], failure: { error: { data: { error: thrown } } } })
  }
})
