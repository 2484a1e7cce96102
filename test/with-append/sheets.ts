import { z } from 'zod'
import { type App, aggregate, app, events, projection, query, rollup } from '../../src/index.ts'

/** What each sheet adds up to, committed with the appends. Some sheets cannot be folded, presented, or summed. */

export const SheetEvents = events('sheet', {
  Added: z.object({ n: z.int() }),
  Spoilt: z.object({ how: z.enum(['fold', 'row', 'present']) }),
  Cleared: z.object({}),
})

const OtherEvents = events('other', { Happened: z.object({}) })

export const Other = aggregate(OtherEvents, {
  initial: (): { n: number } => ({ n: 0 }),
  evolve: { Happened: ({ n }) => ({ n: n + 1 }) },
  commands: { Happen: { input: z.object({}), decide: () => [OtherEvents.Happened({})] } },
})

export const Sheet = aggregate(SheetEvents, {
  initial: (): { sum: number } => ({ sum: 0 }),
  evolve: {
    Added: ({ sum }, { data }) => ({ sum: sum + data.n }),
    Spoilt: sheet => sheet,
    Cleared: () => ({ sum: 0 }),
  },
  commands: {
    Add: { input: z.object({ n: z.int() }), decide: (_, input) => [SheetEvents.Added(input)] },
    AddTwice: {
      input: z.object({ n: z.int() }),
      decide: (_, input) => [SheetEvents.Added(input), SheetEvents.Added(input)],
    },
    Spoil: {
      input: z.object({ how: z.enum(['fold', 'row', 'present']) }),
      decide: (_, input) => [SheetEvents.Spoilt(input)],
    },
    Clear: { input: z.object({}), decide: () => [SheetEvents.Cleared({})] },
  },
})

/** No rollup takes a sheet of this sum. */
export const unlucky = 666

const State = z.object({ sum: z.int().max(1000), how: z.string(), position: z.int(), recordedAt: z.string() })

export interface SheetsOptions {
  readonly version?: number
  readonly commit?: 'with-append' | 'after-append'
  /** Do spoilt sheets break anything, as long as this says so? */
  readonly mood?: { breaks: boolean }
  /** Is called in each fold of an addition. */
  readonly guard?: (position: number) => void
}

export function sheets({
  version = 1,
  commit = 'with-append',
  mood = { breaks: true },
  guard = () => undefined,
}: SheetsOptions = {}) {
  const Sheets = projection('sheets', {
    from: [SheetEvents],
    version,
    commit,
    state: State,
    on: {
      Added: (state, { data, position, recordedAt }) => {
        guard(position)
        return { sum: (state?.sum ?? 0) + data.n, how: state?.how ?? '', position, recordedAt }
      },
      Spoilt: (state, { data, position, recordedAt }) => {
        if (mood.breaks && data.how === 'fold') throw new TypeError(`a secret: ${recordedAt}`)
        return {
          sum: mood.breaks && data.how === 'row' ? 5000 : (state?.sum ?? 0),
          how: data.how,
          position,
          recordedAt,
        }
      },
      Cleared: () => null,
    },
    row: z.object({ sum: z.int(), position: z.int(), recordedAt: z.string() }),
    present: ({ how, ...row }) => {
      if (mood.breaks && how === 'present') throw new RangeError('another secret')
      return row
    },
    rollups: {
      perSign: {
        by: ({ sum }) => (sum < 0 ? 'negative' : 'positive'),
        sum: ({ sum }) => ({ sheets: 1, total: mood.breaks && sum === unlucky ? 0.5 : sum }),
      },
    },
  })
  const totals = rollup(Sheets, 'perSign')
  const sheet = query('sheet', { from: Sheets, input: z.object({ id: z.string() }), get: ({ id }) => id })
  const total = query('total', { from: totals, input: z.object({ sign: z.string() }), get: ({ sign }) => sign })
  const made: App = app('sheets', { aggregates: [Sheet, Other], projections: [Sheets], queries: [sheet, total] })
  return { app: made, Sheets, sheet, total }
}
