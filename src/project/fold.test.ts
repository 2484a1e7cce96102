import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { events, projection, type RecordedEvent } from '../define/index.ts'
import { systemRuntime } from '../log/index.ts'
import { makeAside } from './aside.ts'
import { decodeRow, encodeRow, type Row } from './encode-row.ts'
import { makeFolding, type Slot } from './fold.ts'
import { rowId } from './store.ts'
import { makeTurns } from './turns.ts'
import { viewShapeOf } from './view-shape.ts'

const turns = makeTurns({ runtime: systemRuntime, turnEvents: 500 })

const oddities = ['none', 'date', 'zero', 'missing', 'nothing', 'nested', 'prototype', 'drop'] as const
const Data = z.object({ keys: z.array(z.string()), number: z.number(), text: z.string(), kind: z.enum(oddities) })
const Things = events('thing', { ThingHappened: Data })

/** Each kind of event puts something into the row that JSON changes, and each fold tells what it sees of that. */
const Odd = projection('odd', {
  from: [Things],
  state: z.object({
    count: z.number(),
    seen: z.string().optional(),
    note: z.string().nullable(),
    when: z.iso.datetime(),
    nested: z.object({ list: z.array(z.number().nullable()), maybe: z.string().optional() }),
  }),
  key: { ThingHappened: e => (e.data.keys.length === 0 ? null : e.data.keys) },
  on: {
    ThingHappened: (row, e, key): never => {
      const { kind, text, number } = e.data
      if (kind === 'drop') return null as never
      const told = row === null ? 0 : tell(row)
      const when = new Date(Date.UTC(2026, 0, 1 + (e.position % 28)))
      const answer = {
        count: kind === 'zero' ? -0 : (row?.count ?? 0) + told + 1,
        ...(kind === 'missing' ? { seen: undefined } : { seen: `${key}:${text}` }),
        note: kind === 'nothing' ? Number.NaN : text,
        when: kind === 'date' ? when : when.toISOString(),
        nested: kind === 'nested' ? { list: [Number.NaN, number], maybe: undefined } : { list: [] },
      }
      return (kind === 'prototype' ? Object.assign(Object.create({ inherited: true }), answer) : answer) as never
    },
  },
  indexes: [['count']],
})

function tell(row: Record<string, unknown>): number {
  const nested = row['nested'] as { list: unknown[] }
  return (
    (row['when'] instanceof Date ? 1 : 0) +
    (Object.is(row['count'], -0) ? 10 : 0) +
    ('seen' in row ? 100 : 0) +
    (row['note'] === null ? 1000 : 0) +
    ('maybe' in nested ? 10_000 : 0) +
    (nested.list.includes(null) ? 100_000 : 0) +
    ('inherited' in row ? 1_000_000 : 0)
  )
}

function happened(data: z.output<typeof Data>, position: number, tenant = 'default'): RecordedEvent {
  return {
    category: 'thing',
    type: 'ThingHappened',
    data,
    id: `00000000-0000-7000-8000-${position.toString(16).padStart(12, '0')}`,
    tenant,
    streamId: `s${position % 3}`,
    version: position,
    position,
    schemaVersion: 1,
    tags: [],
    metadata: {},
    recordedAt: '2026-01-01T00:00:00.000000Z',
  }
}

type Stored = Map<string, { doc: string; position: number }>

function slots(rowOf: (id: string) => Row | null) {
  const known = new Map<string, Slot>()
  const slotOf = (tenant: string, key: string): Slot => {
    const id = rowId({ tenant, key })
    const slot = known.get(id) ?? { tenant, key, state: rowOf(id), stored: null, position: 0 }
    known.set(id, slot)
    return slot
  }
  return { known, slotOf }
}

/** Folds `batches` one after the other, each on rows that were read back from what the ones before it stored. */
async function store(
  definition: Parameters<typeof viewShapeOf>[0],
  batches: readonly (readonly RecordedEvent[])[],
  shard = 0,
): Promise<Stored> {
  const folding = makeFolding(viewShapeOf(definition), shard)
  const stored: Stored = new Map()
  for (const batch of batches) {
    const { known, slotOf } = slots(id => (stored.has(id) ? decodeRow((stored.get(id) as { doc: string }).doc) : null))
    const { routed, failure } = await folding.route(batch, slotOf, turns)
    const aside = makeAside(definition.name)
    folding.fold(routed, aside)
    const failed = aside.take()?.failures[0] ?? failure
    if (failed !== undefined) throw failed.error
    for (const [id, { state, position }] of known) {
      if (state == null) stored.delete(id)
      else stored.set(id, { doc: encodeRow(state), position })
    }
  }
  return stored
}

const byId = ([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number => (a < b ? -1 : 1)

const anyEvents = fc
  .array(
    fc.record({
      keys: fc.array(fc.constantFrom('a', 'b', 'c', '__proto__', '\u{1f600}'), { maxLength: 3 }),
      number: fc.oneof(fc.constant(-0), fc.double({ noNaN: true, noDefaultInfinity: true }), fc.integer()),
      text: fc.string({ unit: 'grapheme', maxLength: 5 }).map(text => text.replaceAll('\u0000', '')),
      kind: fc.constantFrom(...oddities),
    }),
    { maxLength: 40 },
  )
  .map(datas => datas.map((data, n) => happened(data, n + 1, n % 5 === 0 ? 'other' : 'default')))

describe('folding', () => {
  test('however a sequence of events is split into batches, the rows are the same to the byte', () => {
    return fc.assert(
      fc.asyncProperty(anyEvents, fc.array(fc.nat(40), { maxLength: 8 }), async (all, cuts) => {
        const at = [0, ...cuts.filter(cut => cut < all.length).toSorted((a, b) => a - b), all.length]
        const batches = at.slice(1).map((end, n) => all.slice(at[n], end))
        const whole = await store(Odd, [all])
        const single = all.map(event => [event])
        expect(await store(Odd, batches)).toEqual(whole)
        expect(await store(Odd, single)).toEqual(whole)
      }),
      { numRuns: 300 },
    )
  })

  test('however many shards there are, together they make the same rows to the byte, and each row is of one', () => {
    return fc.assert(
      fc.asyncProperty(
        anyEvents,
        fc.integer({ min: 2, max: 9 }),
        fc.integer({ min: 1, max: 5 }),
        async (all, shards, size) => {
          const sharded = { ...Odd, shards }
          const batches = Array.from({ length: Math.ceil(all.length / size) }, (_, n) =>
            all.slice(n * size, (n + 1) * size),
          )
          const parts = await Promise.all(Array.from({ length: shards }, (_, shard) => store(sharded, batches, shard)))
          const rows = parts.flatMap(part => [...part])
          expect(rows.toSorted(byId)).toEqual([...(await store(Odd, [all]))].toSorted(byId))
        },
      ),
      { numRuns: 300 },
    )
  })

  test('an event touches the row of its stream, of one key, of several, or none', async () => {
    const keyed = (key: never) =>
      projection('keyed', {
        from: [Things],
        state: z.object({ n: z.int() }),
        key,
        on: { ThingHappened: row => ({ n: (row?.n ?? 0) + 1 }) },
      })
    const event = happened({ keys: ['a', 'b', 'a'], number: 1, text: '', kind: 'none' }, 1)
    const keysOf = async (key: unknown) =>
      [...(await store(keyed(key as never), [[event]])).keys()].map(id => id.split('\u0000')[1])
    expect(await keysOf('stream')).toEqual(['s1'])
    expect(await keysOf({ ThingHappened: () => 'one' })).toEqual(['one'])
    expect(await keysOf({ ThingHappened: (e: RecordedEvent) => (e.data as { keys: string[] }).keys })).toEqual([
      'a',
      'b',
    ])
    expect(await keysOf({ ThingHappened: () => null })).toEqual([])
    expect(await keysOf({ ThingHappened: () => [] })).toEqual([])
  })

  test('a row carries the position of the last event that touched it', async () => {
    const batch = [1, 2, 3].map(n => happened({ keys: n === 3 ? ['b'] : ['a'], number: 0, text: '', kind: 'none' }, n))
    expect([...(await store(Odd, [batch])).values()].map(({ position }) => position)).toEqual([2, 3])
  })
})

describe('a fold that fails', () => {
  const secret = 'a-secret-in-the-payload'
  const failing = (parts: { key?: unknown; on?: unknown }) =>
    makeFolding(
      viewShapeOf(
        projection('failing', {
          from: [Things],
          state: z.object({
            n: z.int(),
            text: z.string().optional(),
            at: z.iso.datetime({ offset: true }).optional(),
            list: z.array(z.int()).optional(),
            any: z.object({ deep: z.string().optional() }).optional(),
            small: z.number().max(5).optional(),
          }),
          key: (parts.key ?? { ThingHappened: (e: RecordedEvent) => (e.data as { keys: string[] }).keys }) as never,
          on: { ThingHappened: (parts.on ?? (() => ({ n: 1 }))) as never },
          indexes: [['n']],
        }),
      ),
    )
  const events = [1, 2, 3].map(n => happened({ keys: ['a', 'b'], number: n, text: secret, kind: 'none' }, n))
  const isSecond = (e: RecordedEvent) => e.position === 2

  async function run(folding: ReturnType<typeof failing>) {
    const { known, slotOf } = slots(() => null)
    const { routed, failure } = await folding.route(events, slotOf, turns)
    const aside = makeAside('failing')
    folding.fold(routed, aside)
    const setAside = aside.take()
    return { known, setAside, failure: setAside?.failures[0] ?? failure }
  }

  async function codeOf(folding: ReturnType<typeof failing>, positions = [1, 1]): Promise<string> {
    const { failure, known } = await run(folding)
    expect(failure?.event.position).toBe(2)
    expect(failure?.error.message).toContain('("failing"), event ThingHappened at position 2')
    expect(failure?.error.message).not.toContain(secret)
    expect([...known.values()].map(({ position }) => position)).toEqual(positions)
    return failure?.error.code ?? ''
  }

  test('keeps its key where it stands, with all that comes for it, and holds up no other key', async () => {
    const on = (_: unknown, e: RecordedEvent, key: string) => {
      if (isSecond(e) && key === 'b') throw new Error(secret)
      return { n: e.position }
    }
    expect(await codeOf(failing({ on }), [3, 1])).toBe('project/fold-failed')
    const { setAside } = await run(failing({ on }))
    const letter = (position: number) => ({ tenant: events[0]?.tenant, key: 'b', position })
    expect(setAside?.letters).toEqual([letter(2), letter(3)])
    expect(setAside?.failures.length).toBe(1)
  })

  test('is named where its key throws, or is no key', async () => {
    const key = (bad: (e: RecordedEvent) => unknown) => ({
      key: { ThingHappened: (e: RecordedEvent) => (isSecond(e) ? bad(e) : ['a', 'b']) },
    })
    const boom = () => {
      throw new TypeError(secret)
    }
    expect(await codeOf(failing(key(boom)))).toBe('project/key-failed')
    for (const bad of [1, '', {}, ['a', 5], ['a', ''], 'a\u0000', 'x'.repeat(513), '\ud800']) {
      expect(await codeOf(failing(key(() => bad))), JSON.stringify(bad)).toBe('project/invalid-key')
    }
  })

  test('is named where its row does not fit', async () => {
    const cyclic: Record<string, unknown> = { n: 1 }
    cyclic['any'] = cyclic
    for (const bad of [
      undefined,
      'text',
      [1],
      {},
      { n: 1, unknown: 1 },
      { n: null },
      { n: 2 ** 53 },
      { n: 1.5 },
      { n: '1' },
      { n: Number.NaN },
      { n: 1n },
      cyclic,
      { n: 1, text: 'a\u0000' },
      { n: 1, any: { deep: '\udc00' } },
      { n: 1, any: { '\u0000': 1 } },
      { n: 1, at: '2026-02-30T00:00:00Z' },
      { n: 1, at: '2026-02-03T00:00:00.1234567Z' },
      { n: 1, list: [1, null] },
      { n: 1, list: 'no' },
      { n: 1, small: 6 },
      { n: 1, text: 'x'.repeat(2 ** 20) },
    ]) {
      expect(await codeOf(failing({ on: (_: unknown, e: RecordedEvent) => (isSecond(e) ? bad : { n: 1 }) }))).toBe(
        'project/invalid-row',
      )
    }
  })

  test('is named where it answers a promise, and the promise is not left to fail unheard', async () => {
    const on = async (_: unknown, e: RecordedEvent) => {
      throw new Error(`${secret}${e.id}`)
    }
    const { failure } = await run(failing({ on }))
    expect(failure?.error.code).toBe('project/invalid-row')
    expect(failure?.error.message).toContain('without a promise')
  })

  test('is named where its texts are too long for an index', async () => {
    const folding = makeFolding(
      viewShapeOf(
        projection('long', {
          from: [Things],
          state: z.object({ a: z.string(), b: z.string() }),
          on: { ThingHappened: (_, e) => ({ a: 'é'.repeat(e.position * 300), b: 'b'.repeat(400) }) },
          indexes: [['a', 'b']],
        }),
      ),
    )
    const { routed } = await folding.route(events, slots(() => null).slotOf, turns)
    const aside = makeAside('long')
    folding.fold(routed, aside)
    expect(aside.take()?.failures[0]?.event.position).toBe(2)
  })
})
