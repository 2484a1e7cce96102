import { z } from 'zod'
import { app, events, projection } from '../../src/index.ts'

export const Marks = events('mark', { Marked: z.object({ by: z.int() }) })

/** Everything of a stream: the sum, how many, and the last ones in order, so that an event too many or too few shows. */
export const Totals = projection('totals', {
  from: [Marks],
  state: z.object({ sum: z.int(), count: z.int(), last: z.array(z.int()) }),
  on: {
    Marked: (row, e) => ({
      sum: (row?.sum ?? 0) + e.data.by,
      count: (row?.count ?? 0) + 1,
      last: [...(row?.last ?? []), e.data.by].slice(-3),
    }),
  },
})

export const marks = app('marks', { events: [Marks], projections: [Totals] })
