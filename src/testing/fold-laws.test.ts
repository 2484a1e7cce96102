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
})
