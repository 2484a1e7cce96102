import { expect, test } from 'vitest'
import { z } from 'zod'
import { app, events, projection } from '../define/index.ts'
import { createLog, defaultTenant, origin } from '../log/index.ts'
import { shardOf, viewShapeOf } from '../project/index.ts'
import { inMemory, memoryViewStore } from '../stores/memory/index.ts'
import { plan } from './plan.ts'
import { verify } from './verify.ts'

const Things = events('thing', { Made: z.object({ size: z.int() }), Gone: z.object({}) })
const state = z.object({ size: z.int(), note: z.string() })
const PerThing = projection('per-thing', {
  from: [Things],
  shards: 3,
  state,
  on: { Made: (_, { data: { size } }) => ({ size, note: 'n'.repeat(200) }), Gone: () => null },
  rollups: { perSize: { by: row => `size ${row.size}`, sum: row => ({ size: row.size }) } },
})

const things = 600
const maxBytes = 40_000
/** Fewer than there are things: what is made and gone within a batch is never held. */
const batchEvents = 500

/** A log of things, of which most are gone, and a view that stands at its head and has no rows. */
async function lost() {
  const { log: storage, views } = inMemory()
  const log = await createLog(storage, {
    eventTypes: app('a', { events: [Things], projections: [PerThing] }).eventTypes,
  })
  const append = (n: number, event: ReturnType<typeof Things.Made | typeof Things.Gone>) =>
    log.append({ stream: { tenant: defaultTenant, category: 'thing', id: `t-${n}` }, expected: 'any', events: [event] })
  const all = Array.from({ length: things }, (_, n) => n)
  await Promise.all(all.map(n => append(n, Things.Made({ size: n }))))
  await Promise.all(all.filter(n => n % 4 > 0).map(n => append(n, Things.Gone({}))))
  const view = await views.open(viewShapeOf(PerThing))
  const to = await log.head()
  for (const { shard, epoch } of await view.checkpoints()) {
    await view.commit({ shard, epoch, from: origin, to, upserts: [], deletes: [] })
  }
  return { log, views }
}

test('a view far larger than the bound is told in full, and never more is held, of rows or of sums', async () => {
  const on = await lost()
  const found = await verify(on, PerThing, { maxBytes, batchEvents })
  if (found.equal) throw new Error('it has no rows')
  expect([found.rows, found.different, found.differentSums]).toEqual([0, things / 4, things / 2])
  expect(found.differences).toHaveLength(100)
  expect(found.peakBytes).toBeLessThanOrEqual(maxBytes)
  // Once for what is told, and for rows, and again and again for sums. All things were there at once.
  expect(found.passes).toBeGreaterThan((things * 450) / maxBytes)
  const { passes, peakBytes, ...whole } = await verify(on, PerThing, { batchEvents })
  expect(whole).toEqual({ ...found, passes: undefined, peakBytes: undefined })
  expect([passes, peakBytes > things * 450]).toEqual([3, true])
  expect(found.sumDifferences[0]).toMatchObject({
    ...{ rollup: 'perSize', group: 'size 0', sum: '', shard: shardOf({ tenant: defaultTenant, key: 't-0' }, 3) },
    folded: { rows: 1, value: '0' },
  })
})

test('what was put right between two snapshots is no difference: all is compared once more', async () => {
  const on = await lost()
  const view = await on.views.open(viewShapeOf(PerThing))
  let snapshots = 0
  const healing: typeof view = {
    ...view,
    snapshot: async read => {
      if (++snapshots === 2) {
        // As a reset does: nothing is folded yet, and no row is right.
        await on.views.reset('per-thing', view.generation)
      }
      return view.snapshot(read)
    },
  }
  const found = await verify({ ...on, views: { ...on.views, find: async () => healing } }, PerThing)
  expect(found).toMatchObject({ equal: true, rows: 0 })
  expect(found.asOf.map(({ position }) => position)).toEqual([0, 0, 0])
})

test('what is wrong each time, and right when it is looked at again, is told without a row after three times', async () => {
  const on = await lost()
  const views = memoryViewStore()
  const right = await views.open(viewShapeOf(PerThing))
  const wrong = await on.views.open(viewShapeOf(PerThing))
  let snapshots = 0
  const flickering: typeof wrong = {
    ...wrong,
    // One that tells whether, one for rows, and one for sums.
    snapshot: read => (++snapshots % 3 === 1 ? wrong : right).snapshot(read),
  }
  const found = await verify({ ...on, views: { ...on.views, find: async () => flickering } }, PerThing)
  expect(found).toMatchObject({ equal: false, different: 0, differences: [], differentSums: 0 })
  expect(snapshots).toBe(9)
})

test('a plan for a view far larger than the bound counts all rows and all groups, and holds no more', async () => {
  const on = await lost()
  const { rows, samples, rollups } = await plan(on, PerThing, { maxBytes, batchEvents, maxSamples: 2 })
  const counts = { before: 0, after: things / 4, added: things / 4, same: 0 }
  expect(rows).toMatchObject(counts)
  expect(samples.map(({ key }) => key)).toEqual(['t-0', 't-100'])
  expect(rollups.groups).toMatchObject(counts)
  expect(rollups.samples).toEqual(
    [0, 100].map(size => ({
      ...{ rollup: 'perSize', tenant: defaultTenant, group: `size ${size}`, kind: 'added' },
      ...{ before: null, after: { size: String(size) } },
    })),
  )
})
