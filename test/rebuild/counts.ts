import { z } from 'zod'
import { app, events, projection } from '../../src/index.ts'

export const Counts = events('count', { Counted: z.object({ by: z.int() }) })

const first = projection('totals', {
  from: [Counts],
  state: z.object({ total: z.int() }),
  on: { Counted: (row, e) => ({ total: (row?.total ?? 0) + e.data.by }) },
  indexes: [['total']],
})

/** The next release's, whose rows are others, and are added up. */
const summed = projection('totals', {
  from: [Counts],
  version: 2,
  shards: 2,
  state: z.object({ total: z.int(), count: z.int() }),
  on: { Counted: (row, e) => ({ total: (row?.total ?? 0) + e.data.by, count: (row?.count ?? 0) + 1 }) },
  rollups: { perRest: { by: row => `rest ${row.total % 3}`, sum: row => ({ streams: 1, total: row.total }) } },
  indexes: [['total'], ['count', 'total']],
})

/** How many events there are of streams whose number has this last digit. */
const Digits = projection('digits', {
  from: [Counts],
  key: { Counted: e => `digit ${e.streamId.at(-1)}` },
  state: z.object({ events: z.int() }),
  on: { Counted: row => ({ events: (row?.events ?? 0) + 1 }) },
})

/** The same, made with rows of another view besides. */
const joined = projection('totals', {
  from: [Counts],
  version: 2,
  shards: 2,
  state: z.object({ total: z.int(), count: z.int(), digit: z.string() }),
  on: {
    Counted: (row, e) => ({
      total: (row?.total ?? 0) + e.data.by,
      count: (row?.count ?? 0) + 1,
      digit: `digit ${e.streamId.at(-1)}`,
    }),
  },
  refs: { digit: { to: Digits, key: state => state.digit } },
  row: z.object({ total: z.int(), count: z.int(), ofDigit: z.int() }),
  present: ({ total, count }, { digit }) => ({ total, count, ofDigit: digit?.events ?? 0 }),
  rollups: { perRest: { by: row => `rest ${row.total % 3}`, sum: row => ({ streams: 1, total: row.total }) } },
  indexes: [['total'], ['count', 'total']],
})

/** @param release `1`, or the next one: `summed`, or `joined` too. */
export const releaseOf = (release: string) =>
  app('counting', {
    events: [Counts],
    projections: release === '1' ? [first] : release === 'summed' ? [summed] : [joined, Digits],
  })
