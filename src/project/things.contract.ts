import { z } from 'zod'
import { events, type Projection, projection } from '../define/index.ts'
import { type Anchor, defaultTenant, origin } from '../log/index.ts'
import type { DeletedRow, LoadedRow, RowKey, Upsert, View } from './store.ts'

export const Things = events('thing', { ThingHappened: z.object({}) })

export const Row = z.object({
  name: z.string(),
  size: z.int(),
  weight: z.number(),
  done: z.boolean(),
  at: z.iso.datetime({ offset: true }),
  note: z.string().nullable(),
  seen: z.iso.datetime({ offset: true }).optional(),
  nested: z.object({ deep: z.array(z.object({ text: z.string() })) }),
  tags: z.array(z.string()),
  counts: z.array(z.int()),
  shares: z.array(z.number()),
  flags: z.array(z.boolean()).nullable(),
})
export type Row = z.output<typeof Row>

export const plain: Row = {
  name: 'plain',
  size: 1,
  weight: 0.5,
  done: false,
  at: '2026-11-21T03:30:00Z',
  note: null,
  nested: { deep: [] },
  tags: [],
  counts: [],
  shares: [],
  flags: null,
}

export const oddStrings = [
  '',
  ' ',
  'null',
  'NULL',
  '\\N',
  '\\',
  '"',
  "'",
  '{}',
  '{"a",b}',
  ',',
  '\n',
  '\r\n',
  '\t',
  '\u0001\u001e\u001f\u0007',
  '\u007f\u0085\u2028',
  '%s $1 :x ?',
  'ünï çødé',
  '\u{1f600}\u200d\u{10ffff}',
  '\ue000\uffee',
  '; drop table x; --',
  'x'.repeat(2000),
]

const indexes: Projection<Row>['indexes'] = [
  ['name'],
  ['size'],
  ['weight'],
  ['done'],
  ['at'],
  ['done', 'size'],
  ['name', 'at', 'size'],
]

let views = 0
/** Each test has a view of its own. */
export const newName = (): string => `things-${++views}`

export function things(name = newName(), version = 1, shards = 1): Projection<Row> {
  return projection(name, { from: [Things], version, shards, state: Row, on: {}, indexes: indexes as never })
}

export const at = (position: number): Anchor =>
  position === 0 ? origin : { position, fingerprint: position.toString(16).padStart(12, 'f') }

export function upsert(key: string, row: Partial<Row> = {}, position = 1, tenant = defaultTenant): Upsert {
  const whole = { ...plain, ...row }
  return { tenant, key, position, row: whole, doc: JSON.stringify(whole) }
}

export const keysOf = (keys: readonly string[], tenant = defaultTenant): RowKey[] => keys.map(key => ({ tenant, key }))

/** The rows that there are among those that a view has loaded, as what is stored of them. */
export async function rowsIn(view: Pick<View, 'load'>, keys: readonly RowKey[]): Promise<Map<string, LoadedRow>> {
  const rows = new Map<string, LoadedRow>()
  for (const [id, { madeAt: _, ...row }] of await view.load(keys)) {
    if (row.doc !== null) rows.set(id, row)
  }
  return rows
}

export const gone = (position: number, ...keys: readonly string[]): DeletedRow[] =>
  keysOf(keys).map(row => ({ ...row, position }))
