import { z } from 'zod'
import { app, events, projection } from '../../src/index.ts'

export const Marks = events('mark', { Marked: z.object({ by: z.int() }) })

/** The release that fails on what is negative, and the one that does not. Which one it is does not change the view. */
export function totalsOf(release: 'broken' | 'corrected') {
  return projection('poisoned-totals', {
    from: [Marks],
    shards: 2,
    state: z.object({ sum: z.int(), seen: z.array(z.int()) }),
    on: {
      Marked: (row, e) => {
        if (release === 'broken' && e.data.by < 0) throw new RangeError('negative')
        return { sum: (row?.sum ?? 0) + e.data.by, seen: [...(row?.seen ?? []), e.position] }
      },
    },
  })
}

export const poisonedOf = (release: 'broken' | 'corrected') =>
  app('poisoned', { events: [Marks], projections: [totalsOf(release)] })
