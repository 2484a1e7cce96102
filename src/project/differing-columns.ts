import { isDeepStrictEqual } from 'node:util'
import type { Column } from '../define/index.ts'
import { type Row } from './encode-row.ts'
import { compareScalars, timestampProblem } from './order.ts'

/** The columns in which a row's typed values say something else than its document; all where it is no row's document. */
export function differingColumns(columns: readonly Column[], values: Row, doc: string): readonly string[] {
  const row = readRow(doc)
  return columns.filter(column => row === undefined || !isSame(column, values, row)).map(({ name }) => name)
}

function readRow(doc: string): Row | undefined {
  const value: unknown = JSON.parse(doc)
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Row) : undefined
}

/** What is missing is stored as null. */
function isSame({ name, type }: Column, values: Row, row: Row): boolean {
  const [value, expected] = [values[name] ?? null, row[name] ?? null]
  if (type === 'timestamp' && isTimestamp(value) && isTimestamp(expected)) {
    return compareScalars(type, value, expected) === 0
  }
  return isDeepStrictEqual(value, expected)
}

function isTimestamp(value: unknown): value is string {
  return typeof value === 'string' && timestampProblem(value) === undefined
}
