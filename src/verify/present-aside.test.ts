import { expect, test } from 'vitest'
import { z } from 'zod'
import { app, events, projection } from '../define/index.ts'
import { type Anchor, createLog, defaultTenant, origin } from '../log/index.ts'
import { shardOf, type View, viewShapeOf } from '../project/index.ts'
import { inMemory } from '../stores/memory/index.ts'
import { rowAt } from './explain.ts'
import { verify } from './verify.ts'

const Things = events('thing', { Made: z.object({ kind: z.string() }), Grown: z.object({}) })

let folded = 0
const Kinds = projection('kinds', {
  from: [Things],
  key: { Made: ({ data }) => data.kind },
  state: z.object({ things: z.int(), note: z.string() }),
  on: {
    Made: row => {
      folded++
      return { things: (row?.things ?? 0) + 1, note: 'n'.repeat(300) }
    },
  },
})
const Named = projection('named', {
  from: [Things],
  shards: 3,
  state: z.object({ kind: z.string(), size: z.int() }),
  on: {
    Made: (_, { data: { kind } }) => ({ kind, size: 0 }),
    Grown: thing => {
      folded++
      return thing && { ...thing, size: thing.size + 1 }
    },
  },
  refs: { kind: { to: Kinds, key: thing => thing.kind } },
  row: z.object({ text: z.string() }),
  present: ({ kind, size }, refs) => {
    if (refs.kind === null) throw new RangeError('every kind is there before its things')
    return { text: `${size} of ${kind}, one of ${refs.kind.things}`.padEnd(80) }
  },
})

const things = 3000

test('rows are made as of their own shard, of the rows that their pass refers to, and no others are folded', async () => {
  const { log: storage, views } = inMemory()
  const named = app('named', { events: [Things], projections: [Kinds, Named] })
  const log = await createLog(storage, { eventTypes: named.eventTypes })
  const append = (n: number, event: ReturnType<typeof Things.Made | typeof Things.Grown>) =>
    log.append({ stream: { tenant: defaultTenant, category: 'thing', id: `t-${n}` }, expected: 'any', events: [event] })
  const all = Array.from({ length: things }, (_, n) => n)
  const ends: Anchor[] = []
  // Every shard stands somewhere else, and rows go on to change behind that.
  for (const part of [all.slice(0, 1000), all.slice(1000, 2000), all.slice(2000)]) {
    await Promise.all(part.map(n => append(n, Things.Made({ kind: `kind-${n % 700}` }))))
    await Promise.all(part.map(n => append(n % 500, Things.Grown({}))))
    ends.push(await log.head())
  }
  const on = { log, views }
  const view: View = await views.open(viewShapeOf(Named))
  await views.open(viewShapeOf(Kinds))
  for (const { shard, epoch } of await view.checkpoints()) {
    await view.commit({ shard, epoch, from: origin, to: ends[shard] as Anchor, upserts: [], deletes: [] })
  }
  folded = 0
  const { passes, peakBytes, ...whole } = await verify(on, Named, { maxDifferences: things })
  expect(passes).toBe(2)
  if (whole.equal) throw new Error('it has no rows')
  const inOnePass = folded / passes
  for (const { key, kind, folded: row } of whole.differences.filter((_, n) => n % 100 === 0)) {
    expect(kind).toBe('missing')
    const end = ends[shardOf({ tenant: defaultTenant, key }, 3)] as Anchor
    expect(JSON.parse(row!.doc)).toEqual(await rowAt(on, Named, key, end.position))
  }
  for (const maxBytes of [60_000, 100_000, 150_000, 210_000]) {
    folded = 0
    const found = await verify(on, Named, { maxBytes, batchEvents: 700, maxDifferences: things })
    expect({ ...found, passes, peakBytes }).toEqual({ ...whole, passes, peakBytes })
    expect(found.peakBytes).toBeLessThanOrEqual(maxBytes)
    // A pass folds more rows than it holds in the end, and several refer to the same kinds.
    expect(folded).toBeLessThan((found.passes * inOnePass) / 4)
  }
})
