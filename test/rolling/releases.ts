import { z } from 'zod'
import { aggregate, app, events, projection, query } from '../../src/index.ts'

const Notes = events('note', { Noted: z.object({ text: z.string() }) })
export const Note = aggregate(Notes, {
  initial: (): { n: number } => ({ n: 0 }),
  evolve: { Noted: ({ n }) => ({ n: n + 1 }) },
  commands: {
    TakeNote: { input: z.object({ text: z.string() }), decide: (_, { text }) => [Notes.Noted({ text })] },
  },
})
const byId = { input: z.object({ id: z.string() }), get: ({ id }: { readonly id: string }) => id }

/** The first release: the newest text of each. */
const Texts = projection('notes', {
  from: [Notes],
  state: z.object({ text: z.string() }),
  on: { Noted: (_, e) => ({ text: e.data.text }) },
})

/** The second one: the same rows, made otherwise. */
const Trimmed = projection('notes', {
  from: [Notes],
  version: 2,
  shards: 2,
  state: z.object({ text: z.string() }),
  on: { Noted: (_, e) => ({ text: e.data.text.trim() }) },
})

/** The third: other rows. */
const Counted = projection('notes', {
  from: [Notes],
  version: 3,
  shards: 3,
  state: z.object({ newest: z.string(), count: z.int() }),
  on: { Noted: (row, e) => ({ newest: e.data.text.trim(), count: (row?.count ?? 0) + 1 }) },
})

const textOf = query('note', { from: Texts, ...byId })
const trimmedOf = query('note', { from: Trimmed, ...byId })
const countOf = query('note', { from: Counted, ...byId })

/** What a process of a release runs, and how it reads the newest text of a note. */
export const releases = {
  1: { app: app('notes', { aggregates: [Note], projections: [Texts], queries: [textOf] }), view: Texts },
  2: { app: app('notes', { aggregates: [Note], projections: [Trimmed], queries: [trimmedOf] }), view: Trimmed },
  3: { app: app('notes', { aggregates: [Note], projections: [Counted], queries: [countOf] }), view: Counted },
} as const

export type Release = keyof typeof releases

/** The newest text, whichever release's row it is. */
export function newestIn(row: string): string | undefined {
  const { text, newest } = (JSON.parse(row) ?? {}) as { readonly text?: string; readonly newest?: string }
  return text ?? newest
}
