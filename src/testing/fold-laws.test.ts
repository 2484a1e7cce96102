import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { events, projection } from '../define/index.ts'
import { foldLaws, type SampleEvent } from './index.ts'

const Counters = events('counter', { Added: z.object({ by: z.int() }), Dropped: z.object({}) })

const samples: readonly SampleEvent[] = Array.from({ length: 40 }, (_, n) => ({
  stream: `c-${n % 3}`,
  event: n % 11 === 10 ? Counters.Dropped({}) : Counters.Added({ by: n }),
  ...(n % 5 === 0 && { tenant: 'other' }),
}))

type Sum = { sum: number }
const Sums = (add: (row: Sum | null, by: number) => Sum | null, key: 'stream' | 'all' = 'stream') =>
  projection('sums', {
    from: [Counters],
    state: z.object({ sum: z.int() }),
    key: {
      Added: ({ streamId }) => (key === 'stream' ? streamId : [streamId, 'all']),
      Dropped: ({ streamId }) => streamId,
    },
    on: { Added: (row, { data }) => add(row, data.by), Dropped: () => null },
  })

describe('the laws of folding', () => {
  test('hold for folds that depend on the row and the event alone', async () => {
    for (const key of ['stream', 'all'] as const) {
      await foldLaws(
        Sums((row, by) => ({ sum: (row?.sum ?? 0) + by }), key),
        { events: samples },
      )
    }
  })

  test('are broken by a variable outside of the fold, and the error says where and under which seed', async () => {
    let all = 0
    const counting = Sums((_, by) => {
      all += by
      return { sum: all }
    })
    const broken = await foldLaws(counting, { events: samples, seed: 70 }).catch((error: unknown) => error)
    expect(broken).toMatchObject({
      code: 'testing/fold-law-broken',
      data: { projection: 'sums', seed: 70, tenant: expect.any(String), key: expect.stringMatching(/^c-\d$/) },
    })
    const { atOnce, inParts } = (broken as { data: { atOnce: string; inParts: string } }).data
    expect(JSON.parse(atOnce).sum).not.toBe(JSON.parse(inParts).sum)
  })

  test('are broken by what is tied to a row in memory, which only a crash forgets', async () => {
    const times = new WeakMap<object, number>()
    const tied = Sums(row => {
      const after = { sum: (row === null ? 0 : (times.get(row) ?? 0)) + 1 }
      times.set(after, after.sum)
      return after
    })
    await expect(foldLaws(tied, { events: samples })).rejects.toMatchObject({ code: 'testing/fold-law-broken' })
  })

  test('are broken by chance and by the clock', async () => {
    const ticking = Sums((row, by) => ({ sum: (row?.sum ?? 0) + by + Math.floor(performance.now() * 1000) }))
    const rolling = Sums(row => (Math.random() < 0.5 ? { sum: (row?.sum ?? 0) + 1 } : row))
    for (const one of [ticking, rolling]) {
      await expect(foldLaws(one, { events: samples })).rejects.toMatchObject({ code: 'testing/fold-law-broken' })
    }
  })

  test('are not reached by a fold that fails, and it says on which event', async () => {
    const failing = Sums((row, by) => {
      if (by === 7) throw new RangeError('seven')
      return row ?? { sum: by }
    })
    await expect(foldLaws(failing, { events: samples })).rejects.toMatchObject({
      code: 'project/fold-failed',
      data: { position: 8, type: 'Added' },
    })
  })

  test('hold for no events', async () => {
    await foldLaws(
      Sums(() => null),
      { events: [] },
    )
  })

  describe('of rows that are made with rows of other projections', () => {
    const Names = events('name', { Named: z.object({ name: z.string() }), Unnamed: z.object({}) })
    const named = projection('named', {
      from: [Names],
      state: z.object({ name: z.string() }),
      on: { Named: (_, { data }) => data, Unnamed: () => null },
    })
    const titles = (title: (name: string | null) => string) =>
      projection('titles', {
        from: [Counters],
        state: z.object({ sum: z.int(), owner: z.string() }),
        on: {
          Added: (row, { data }) => ({ sum: (row?.sum ?? 0) + data.by, owner: `n-${data.by % 4}` }),
          Dropped: () => null,
        },
        refs: { owner: { to: named, key: ({ owner }) => owner } },
        row: z.object({ title: z.string(), sum: z.int() }),
        present: ({ sum }, { owner }) => ({ title: title(owner?.name ?? null), sum }),
        rollups: { perTitle: { by: ({ title: own }) => own, sum: ({ sum }) => ({ sum }) } },
      })
    const both: readonly SampleEvent[] = samples.flatMap((sample, n) => [
      sample,
      { stream: `n-${n % 5}`, event: n % 7 === 6 ? Names.Unnamed({}) : Names.Named({ name: `name ${n % 3}` }) },
    ])

    test('hold for what depends on the state and these rows alone', async () => {
      await foldLaws(
        titles(name => name ?? 'nobody'),
        { events: both },
      )
    })

    test('hold where processes crash between the parts of what one row that changed makes anew', async () => {
      const added = Array.from({ length: 24 }, (_, n) => ({
        stream: `s-${n}`,
        event: Counters.Added({ by: 1 + 4 * n }),
      }))
      const renamed = Array.from({ length: 6 }, (_, n) => [
        { stream: 'n-1', event: Names.Named({ name: `name ${n}` }) },
        { stream: `s-${n}`, event: Counters.Added({ by: 4 * n + (n % 2) }) },
      ]).flat()
      await foldLaws(
        titles(name => name ?? 'nobody'),
        { events: [...added, ...renamed], runs: 200 },
      )
    })

    test('are not reached by a row that cannot be made with one that changed, and it says by which event', async () => {
      const failing = titles(name => {
        if (name === 'name 2') throw new RangeError('two')
        return name ?? 'nobody'
      })
      const named2 = both.findIndex(({ event }) => (event.data as { name?: string }).name === 'name 2')
      const events = [...both.slice(0, named2), { stream: 'n-1', event: Names.Named({ name: 'name 2' }) }]
      await expect(foldLaws(failing, { events })).rejects.toMatchObject({
        code: 'project/present-failed',
        data: { position: events.length, type: 'Named' },
      })
      // Where a later one mends it, it fails only if a batch ends in between.
      const mended = [
        { stream: 's-1', event: Counters.Added({ by: 1 }) },
        { stream: 'n-1', event: Names.Named({ name: 'name 2' }) },
        { stream: 'n-1', event: Names.Named({ name: 'name 0' }) },
      ]
      await expect(foldLaws(failing, { events: mended })).rejects.toMatchObject({
        code: 'project/present-failed',
        data: { position: 2, type: 'Named' },
      })
    })

    test('are broken by what remembers how often a row was made', async () => {
      let made = 0
      const counting = titles(name => `${name} ${Math.floor(made++ / 50)}`)
      await expect(foldLaws(counting, { events: both })).rejects.toMatchObject({ code: 'testing/fold-law-broken' })
    })
  })
})
