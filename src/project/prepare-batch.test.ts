import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { type AnyProjection, events, projection, type RecordedEvent } from '../define/index.ts'
import { origin, type Page, systemRuntime } from '../log/index.ts'
import { makeAside } from './aside.ts'
import { makeFolding } from './fold.ts'
import { type BatchContext, prepareBatch } from './prepare-batch.ts'
import { makeRowCache } from './row-cache.ts'
import { type LoadedRow, type RowKey, rowId } from './store.ts'
import { makeTurns } from './turns.ts'
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
): BatchContext & { readonly loads: string[][]; readonly stored: Map<string, LoadedRow> } {
  const stored = new Map<string, LoadedRow>()
  const loads: string[][] = []
  const load = async (keys: readonly RowKey[]) => {
    loads.push(keys.map(({ key }) => key))
    return new Map(keys.map(rowId).flatMap(id => (stored.has(id) ? [[id, stored.get(id) as LoadedRow]] : [])))
  }
  const folding = makeFolding(viewShapeOf(of))
  return {
    folding,
    view: { load },
    cache: makeRowCache(cacheBytes),
    aside: makeAside(of.name),
    turns: makeTurns({ runtime: systemRuntime, turnEvents: 2 }),
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

test('events that are in a row already are not folded into it once more', async () => {
  const known = context()
  known.stored.set(rowId({ tenant: 'default', key: 'a' }), { position: 2, doc: '{"n":5}' })
  known.stored.set(rowId({ tenant: 'default', key: 'b' }), { position: 9, doc: '{"n":7}' })
  const all = page(1, ['Happened', 'a'], ['Ended', 'a'], ['Happened', 'a'], ['Happened', 'b'])
  const batch = await prepareBatch(all, origin, known)
  expect(batch.upserts.map(({ key, doc, position }) => [key, doc, position])).toEqual([
    ['a', '{"n":6}', 3],
    ['b', '{"n":7}', 9],
  ])
})

test('where rows may be ahead, the row of a key that fails is written as it stands', async () => {
  for (const mayBeAhead of [false, true]) {
    const known = context()
    known.stored.set(rowId({ tenant: 'default', key: 'b' }), { position: 1, doc: '{"n":5}' })
    const view = { ...known.view, mayBeAhead }
    const batch = await prepareBatch(
      page(2, ['Failed', 'a'], ['Failed', 'b']),
      { position: 1, fingerprint: '' },
      { ...known, view },
    )
    expect(batch.setAside?.failures).toMatchObject([{ key: 'a' }, { key: 'b' }])
    expect(batch.upserts).toMatchObject(mayBeAhead ? [{ key: 'b', doc: '{"n":5}', position: 1, madeAt: 2 }] : [])
    expect(batch.deletes).toEqual(mayBeAhead ? [{ tenant: 'default', key: 'a', position: 0, madeAt: 1 }] : [])
  }
})

test('rows that this process does not know are loaded together, and once', async () => {
  const known = context()
  known.stored.set(rowId({ tenant: 'default', key: 'b' }), { position: 0, doc: '{"n":5}' })
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
  expect(second.deletes).toEqual([{ tenant: 'default', key: 'a', position: 5 }])
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

const letters = (key: string, ...positions: number[]) =>
  positions.map(position => ({ tenant: 'default', key, position }))

test('a key that fails stands still before the event, and every other key goes on', async () => {
  const failing = context()
  const events = page(1, ['Happened', 'a'], ['Happened', 'b'], ['Failed', 'a'], ['Happened', 'b'], ['Ended', 'a'])
  const batch = await prepareBatch(events, origin, failing)
  expect(batch.to).toEqual(events.through)
  expect(batch.failure).toBeUndefined()
  expect(batch.setAside?.failures).toMatchObject([{ key: 'a', event: { position: 3 } }])
  expect(batch.setAside?.letters).toEqual(letters('a', 3, 5))
  expect(batch.upserts.map(({ key, position, doc }) => [key, position, doc])).toEqual([
    ['a', 1, '{"n":1}'],
    ['b', 4, '{"n":2}'],
  ])
  expect(batch.deletes).toEqual([])
  const next = await prepareBatch(page(6, ['Happened', 'a'], ['Happened', 'b']), batch.to, failing)
  expect(next.setAside).toEqual({ failures: [], letters: letters('a', 6) })
  expect(next.upserts.map(({ key, doc }) => [key, doc])).toEqual([['b', '{"n":3}']])
})

test('an event without a key ends the batch before it', async () => {
  const keyed = { ...Counts, key: { Happened: () => 'a', Failed: () => 5 } } as unknown as AnyProjection
  const events = page(1, ['Happened', 'a'], ['Happened', 'a'], ['Failed', 'a'], ['Happened', 'a'])
  const batch = await prepareBatch(events, origin, context(10_000, keyed))
  expect(batch.failure).toMatchObject({ event: { position: 3 }, error: { code: 'project/invalid-key' } })
  expect(batch.to).toEqual({ position: 2, fingerprint: fingerprint(2) })
  expect(batch.upserts.map(({ position }) => position)).toEqual([2])
  expect(batch.setAside).toBeUndefined()
})

test('a skipped event leaves its row as it was', async () => {
  const skipping = { ...context(), aside: makeAside('counts', { skips: letters('a', 2) }) }
  const batch = await prepareBatch(page(1, ['Happened', 'a'], ['Failed', 'a'], ['Happened', 'a']), origin, skipping)
  expect(batch.upserts.map(({ position, doc }) => [position, doc])).toEqual([[3, '{"n":2}']])
  expect(batch.setAside).toBeUndefined()
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
    known.stored.set(rowId({ tenant: 'default', key: 'b' }), { position: 0, doc })
    const batch = await prepareBatch(page(1, ['Happened', 'a'], [type, 'a']), origin, known)
    expect(batch.setAside?.failures).toMatchObject([{ event: { position: 2 }, error: { data: { error: thrown } } }])
    expect(batch.upserts.map(upsert => upsert.doc)).toEqual([doc])
    const loaded = await prepareBatch(page(3, [type, 'b']), { position: 2, fingerprint: '' }, known)
    expect(loaded).toMatchObject({ upserts: [], setAside: { failures: [{ error: { data: { error: thrown } } }] } })
  }
})

describe('rows that are made of states', () => {
  const Presented = projection('presented', {
    from: [Things],
    state: z.object({ n: z.int() }),
    on: { Happened: state => ({ n: (state?.n ?? 0) + 1 }), Failed: () => ({ n: -1 }), Ended: () => null },
    row: z.object({ times: z.string() }),
    present: ({ n }) => {
      if (n < 0) throw new RangeError('negative')
      return { times: n === 13 ? (undefined as never) : `${n} times` }
    },
  })

  test('are made once for a batch, and the states are kept beside them', async () => {
    const known = context(10_000, Presented)
    const first = await prepareBatch(page(1, ['Happened', 'a'], ['Happened', 'a'], ['Happened', 'b']), origin, known)
    expect(first.upserts).toMatchObject([
      { key: 'a', position: 2, doc: '{"times":"2 times"}', state: '{"n":2}', row: { times: '2 times' } },
      { key: 'b', position: 3, doc: '{"times":"1 times"}', state: '{"n":1}' },
    ])
    known.cache.clear(false)
    known.stored.set(rowId({ tenant: 'default', key: 'a' }), {
      position: 2,
      doc: '{"times":"2 times"}',
      state: '{"n":2}',
    })
    const next = await prepareBatch(page(4, ['Happened', 'a'], ['Ended', 'b']), first.to, known)
    expect(next.upserts).toMatchObject([{ key: 'a', doc: '{"times":"3 times"}', state: '{"n":3}' }])
    expect(next.deletes).toEqual([{ tenant: 'default', key: 'b', position: 5 }])
  })

  test('stand still before the event after which one cannot be made, and hold up no other', async () => {
    const failing = context(10_000, Presented)
    failing.stored.set(rowId({ tenant: 'default', key: 'c' }), {
      position: 0,
      doc: '{"times":"12 times"}',
      state: '{"n":12}',
    })
    const events = page(
      1,
      ...([
        ['Happened', 'a'],
        ['Happened', 'b'],
        ['Failed', 'b'],
        ['Happened', 'a'],
        ['Happened', 'c'],
        ['Failed', 'b'],
      ] as const),
    )
    const batch = await prepareBatch(events, origin, failing)
    expect(batch.to).toEqual(events.through)
    expect(batch.setAside?.failures).toMatchObject([
      {
        key: 'b',
        event: { position: 3 },
        error: { code: 'project/present-failed', data: { part: 'present', error: 'RangeError', position: 3 } },
      },
      { key: 'c', event: { position: 5 }, error: { code: 'project/invalid-row', data: { part: 'present' } } },
    ])
    expect(batch.setAside?.letters).toEqual([...letters('b', 3, 6), ...letters('c', 5)])
    expect(batch.upserts.map(({ key, position, state }) => [key, position, state])).toEqual([
      ['a', 4, '{"n":2}'],
      ['b', 2, '{"n":1}'],
    ])
  })

  test('that cannot be made of a batch although they can after each event stand still before all of them', async () => {
    let calls = 0
    const present = () => {
      if (++calls % 3 === 1) throw new RangeError('now and then')
      return { times: '' }
    }
    const moody = context(10_000, { ...Presented, present } as AnyProjection)
    const batch = await prepareBatch(page(1, ['Happened', 'a'], ['Happened', 'a']), origin, moody)
    expect(batch.upserts).toEqual([])
    expect(batch.setAside?.failures).toMatchObject([{ key: 'a', event: { position: 1 } }])
    expect(batch.setAside?.letters).toEqual(letters('a', 1, 2))
  })
})

describe('everything else in the process has its turn while a page is slow', () => {
  let clock = 0
  const slowly = (): void => {
    clock += 6
  }
  const state = z.object({ n: z.int() })
  const counted = { from: [Things], state, on: { Happened: () => ({ n: 1 }) } } as const
  const slow: readonly (readonly [part: string, of: AnyProjection])[] = [
    ['fold', projection('slow', { ...counted, on: { Happened: () => (slowly(), { n: 1 }) } })],
    ['key', projection('slow', { ...counted, key: { Happened: e => (slowly(), e.streamId) } })],
    ['present', projection('slow', { ...counted, row: state, present: one => (slowly(), one) })],
    [
      'rollup',
      projection('slow', { ...counted, rollups: { all: { by: () => (slowly(), 'all'), sum: () => ({ n: 1 }) } } }),
    ],
    [
      'fold of one event over many keys',
      projection('slow', {
        ...counted,
        key: { Happened: () => Array.from({ length: 40 }, (_, n) => `k${n}`) },
        on: { Happened: () => (slowly(), { n: 1 }) },
      }),
    ],
  ]
  const page40 = page(1, ...Array.from({ length: 40 }, (_, n) => ['Happened', `s${n}`] as const))

  test.for(slow)('in its %s', async ([part, of]) => {
    clock = 0
    let turnAt = 0
    let longest = 0
    const pause = (): void => {
      longest = Math.max(longest, clock - turnAt)
      turnAt = clock
    }
    const runtime = { elapsed: () => clock, turn: async () => pause() }
    const events = part.includes('many keys') ? page(1, ['Happened', 'a']) : page40
    await prepareBatch(events, origin, { ...context(10_000, of), turns: makeTurns({ runtime, turnEvents: 500 }) })
    pause()
    expect(clock).toBe(240)
    expect(longest).toBeLessThan(40)
  })
})
