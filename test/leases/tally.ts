import { z } from 'zod'
import { app, events, projection } from '../../src/index.ts'

export const Marks = events('mark', { Marked: z.object({ by: z.int() }), Poisoned: z.object({}) })

export const shards = 8

/**
 * Everything of a stream: the sum, how many, and the last ones in order, so that an event too many or too few shows.
 *
 * @param poisoned is called where the fold, or the `key`, comes to such an event: what a process does then, its rows do not
 *   show.
 */
export function tallyOf(poisoned: (part: 'on' | 'key', stream: string) => void = () => undefined) {
  const Totals = projection('totals', {
    from: [Marks],
    shards,
    key: {
      Marked: e => e.streamId,
      Poisoned: e => {
        poisoned('key', e.streamId)
        return e.streamId
      },
    },
    state: z.object({ sum: z.int(), count: z.int(), last: z.array(z.int()) }),
    on: {
      Marked: (row, e) => ({
        sum: (row?.sum ?? 0) + e.data.by,
        count: (row?.count ?? 0) + 1,
        last: [...(row?.last ?? []), e.data.by].slice(-3),
      }),
      Poisoned: (row, e) => {
        poisoned('on', e.streamId)
        return row
      },
    },
  })
  return { Totals, tally: app('tally', { events: [Marks], projections: [Totals] }) }
}
