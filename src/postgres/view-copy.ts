import type { ColumnType } from '../define/index.ts'
import type { Upsert, ViewShape } from '../project/index.ts'
import { arrayOfPlain, arrayOfTexts } from './view-columns.ts'
import { inViews, quoteName, refColumnOf } from './view-names.ts'

/** `copy` of whole rows into a view's table, and what is sent for a page of them. */
export interface CopyVerb {
  readonly text: string
  readonly linesOf: (shard: number, rows: readonly Upsert[]) => string
}

/** The text format of COPY: a line for each row, a tab between values. */
export function copyVerb(
  table: string,
  { columns, stateColumns, refs = [] }: Pick<ViewShape, 'columns' | 'stateColumns' | 'refs'>,
): CopyVerb {
  const own = columns.map(({ name, type }) => ({ name, write: writers[type] }))
  const hasStates = stateColumns !== undefined
  const names = [
    '_tenant',
    '_key',
    '_position',
    ...columns.map(({ name }) => quoteName(name)),
    ...refs.map(({ name }) => quoteName(refColumnOf(name))),
    ...(refs.length > 0 ? ['_shard'] : []),
    ...(hasStates ? ['_state'] : []),
    '_doc',
  ]
  const lineOf = (shard: number, { tenant, key, position, row, doc, state, refs: keys }: Upsert): string => {
    let line = `${escaped(tenant)}\t${escaped(key)}\t${position}\t`
    for (const { name, write } of own) line += `${valueOf(row[name], write)}\t`
    for (const { name } of refs) line += `${valueOf(keys?.[name], escaped)}\t`
    if (refs.length > 0) line += `${shard}\t`
    if (hasStates) line += `${valueOf(state, escaped)}\t`
    return `${line}${escaped(doc)}\n`
  }
  return {
    text: `copy ${inViews(table)} (${names.join(', ')}) from stdin`,
    linesOf: (shard, rows) => rows.map(row => lineOf(shard, row)).join(''),
  }
}

function valueOf(value: unknown, write: (value: never) => string): string {
  return value === null || value === undefined ? '\\N' : write(value as never)
}

const writers: Readonly<Record<ColumnType, (value: never) => string>> = {
  text: escaped,
  bigint: String,
  double: String,
  boolean: String,
  timestamp: String,
  json: (value: unknown) => escaped(JSON.stringify(value)),
  'text[]': (value: readonly string[]) => escaped(arrayOfTexts(value)),
  'bigint[]': arrayOfPlain,
  'double[]': arrayOfPlain,
  'boolean[]': arrayOfPlain,
}

const special = /[\\\n\r\t]/g
const escapes: Readonly<Record<string, string>> = { '\\': '\\\\', '\n': '\\n', '\r': '\\r', '\t': '\\t' }

function escaped(text: string): string {
  // A search costs a fraction of a replacement, and most texts need none.
  return text.search(special) < 0 ? text : text.replaceAll(special, character => escapes[character] as string)
}
