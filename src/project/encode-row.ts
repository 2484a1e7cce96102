import { type Column, type ColumnType, check, type Issue, type Schema } from '../define/index.ts'
import { timestampProblem } from './order.ts'

export type Row = Readonly<Record<string, unknown>>

/** What a fold answered, as it will be read back from where it is stored; or why it cannot be stored. */
export type CheckedRow = { readonly row: Row; readonly issues?: undefined } | { readonly issues: readonly Issue[] }

/** Characters of a row, 8 for each value and name: a store takes thousands of rows in one statement. */
const maxWeight = 2 ** 20

/** The texts of one index entry may have this many bytes together: a page of a PostgreSQL index holds 2704 of an entry. */
const maxIndexedBytes = 1536

/** What states, or rows, have to be. */
export interface RowRules {
  /** What gives them, and what their schema is the schema of, in the words of a definition. */
  readonly giver: 'a fold' | 'present'
  readonly stage: 'state' | 'row'
  readonly schema: Schema<unknown>
  readonly columns: readonly Column[]
  readonly indexes: readonly (readonly string[])[]
}

/**
 * Makes the check that each folded row passes before it is folded on or stored. It is pure: whether a row is good, and
 * what it is, does not depend on where a batch ends, since each row is taken as it would be after writing and reading.
 */
export function makeRowCheck({ giver, stage, schema, columns, indexes }: RowRules): (given: unknown) => CheckedRow {
  const byName = new Map(columns.map(column => [column.name, column]))
  const required = columns.filter(({ nullable }) => !nullable)
  const indexedTexts = indexedTextsOf(indexes, columns)
  const answers = giver === 'a fold' ? 'a fold answers a row, or null to delete it' : 'present answers a row'
  return given => {
    const weight = safeWeightOf(given)
    const read = Number.isNaN(weight) ? throughJson(given, giver, answers) : { value: given, weight }
    if ('problem' in read) return refused('', read.problem)
    if (read.weight > maxWeight) return refused('', `a row holds at most ${maxWeight} characters; keep lists as rows`)
    if (!isRecord(read.value)) return refused('', answers)
    const row = read.value
    for (const name of Object.keys(row)) {
      const column = byName.get(name)
      if (column === undefined) return refused(name, `there is no such column in the schema of \`${stage}\``)
      const problem = valueProblem(column, row[name])
      if (problem !== undefined) return refused(name, problem)
    }
    for (const { name } of required) {
      if (row[name] === undefined) return refused(name, 'it is missing')
    }
    for (const names of indexedTexts) {
      if (bytesOf(row, names) > maxIndexedBytes) {
        return refused(names.join(', '), `an index takes texts of at most ${maxIndexedBytes} bytes`)
      }
    }
    const { issues } = check(schema, row)
    return issues === undefined ? { row: frozen(row) } : { issues }
  }
}

/** Writes a row that was checked as its document. */
export function encodeRow(row: Row): string {
  return JSON.stringify(row)
}

/** Reads a row from its document. */
export function decodeRow(doc: string): Row {
  return frozen(JSON.parse(doc) as Row)
}

/**
 * Freezes all of a row, so that a fold that changes the row it is given throws at once: a change by an event that fails
 * would be written with the events before it, and made again when the event is tried again.
 */
function frozen<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value
  for (const name in value) {
    const inner = value[name]
    if (typeof inner === 'object' && inner !== null) frozen(inner)
  }
  return Object.freeze(value)
}

function refused(path: string, message: string): CheckedRow {
  return { issues: [{ path, message }] }
}

function isRecord(value: unknown): value is Row {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/**
 * How much text and how many values there are in `value`; `NaN` where it is not what `JSON.parse(JSON.stringify(value))`
 * would give, or holds text that not every store takes. Most rows are, and this costs a fraction of writing and reading
 * them.
 */
function weightOf(value: unknown): number {
  switch (typeof value) {
    case 'string':
      return textProblem(value) === undefined ? value.length + 8 : Number.NaN
    case 'number':
      return Number.isFinite(value) && !Object.is(value, -0) ? 8 : Number.NaN
    case 'boolean':
      return 8
    case 'object':
      if (value === null) return 8
      return Array.isArray(value) ? weightOfArray(value) : weightOfObject(value)
    default:
      return Number.NaN
  }
}

function weightOfArray(values: readonly unknown[]): number {
  if (Object.getPrototypeOf(values) !== Array.prototype) return Number.NaN
  if (Object.keys(values).length !== values.length) return Number.NaN
  let weight = 8
  for (const value of values) weight += weightOf(value)
  return weight
}

function weightOfObject(value: object): number {
  if (Object.getPrototypeOf(value) !== Object.prototype) return Number.NaN
  let weight = 8
  for (const name of Object.keys(value)) weight += weightOf(name) + weightOf((value as Row)[name])
  return weight
}

/** As `weightOf`; an object within itself has no weight. */
function safeWeightOf(value: unknown): number {
  try {
    return weightOf(value)
  } catch {
    return Number.NaN
  }
}

function throughJson(
  folded: unknown,
  giver: string,
  answers: string,
): { readonly value: unknown; readonly weight: number } | { readonly problem: string } {
  if (folded instanceof Promise) {
    folded.catch(() => undefined)
    return { problem: `${giver} answers at once, without a promise` }
  }
  let json: string | undefined
  try {
    json = JSON.stringify(folded)
  } catch {
    // The engine's own message may quote the row.
    return { problem: 'it cannot be written as JSON (a bigint, or an object within itself)' }
  }
  if (json === undefined) return { problem: `${answers}; it answered undefined` }
  const value: unknown = JSON.parse(json)
  const weight = safeWeightOf(value)
  return Number.isNaN(weight) ? { problem: 'a text holds U+0000, or half of a surrogate pair' } : { value, weight }
}

/** What keeps `text` from being stored anywhere, or `undefined`. */
export function textProblem(text: string): string | undefined {
  if (text.includes('\u0000')) return 'it holds U+0000'
  return text.isWellFormed() ? undefined : 'it holds half of a surrogate pair'
}

/** What keeps `value` from being stored in `column`, or `undefined`. */
function valueProblem({ type, nullable }: Column, value: unknown): string | undefined {
  if (value === null || value === undefined) return nullable ? undefined : 'it is null'
  if (!type.endsWith('[]')) return scalarProblem(type, value)
  if (!Array.isArray(value)) return 'it must be an array'
  const element = type.slice(0, -2) as ColumnType
  for (const one of value) {
    const problem = scalarProblem(element, one)
    if (problem !== undefined) return `one of its values will not do: ${problem}`
  }
  return undefined
}

/** What keeps `value` from being stored in a column of `type`, where it is not null, or `undefined`. */
function scalarProblem(type: ColumnType, value: unknown): string | undefined {
  switch (type) {
    case 'text':
      return typeof value === 'string' ? undefined : 'it must be text'
    case 'bigint':
      return Number.isSafeInteger(value) ? undefined : 'it must be an integer between -(2^53 - 1) and 2^53 - 1'
    case 'double':
      return typeof value === 'number' ? undefined : 'it must be a number'
    case 'boolean':
      return typeof value === 'boolean' ? undefined : 'it must be true or false'
    case 'timestamp':
      return typeof value === 'string' ? timestampProblem(value) : 'it must be text'
    default:
      return undefined
  }
}

/** For each index that has columns of text, these. */
function indexedTextsOf(indexes: RowRules['indexes'], columns: readonly Column[]): readonly (readonly string[])[] {
  const texts = new Set(columns.filter(({ type }) => type === 'text').map(({ name }) => name))
  return indexes.map(index => index.filter(name => texts.has(name))).filter(names => names.length > 0)
}

function bytesOf(row: Row, names: readonly string[]): number {
  let most = 0
  for (const name of names) most += (row[name] as string).length * 3
  if (most <= maxIndexedBytes) return most
  return names.reduce((sum, name) => sum + Buffer.byteLength(row[name] as string), 0)
}
