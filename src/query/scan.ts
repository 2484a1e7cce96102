import { type AnyProjection, BifoldError, type Column, type ListRequest, type Range } from '../define/index.ts'
import { type Scalar, type Scan, timestampProblem } from '../project/index.ts'
import { readCursor } from './cursor.ts'

const defaultLimit = 50
const maxLimit = 1000

/** What a `list` is asked of. */
export interface ScanTarget {
  readonly query: string
  readonly projection: AnyProjection
  readonly columns: readonly Column[]
}

/**
 * The scan that a request means. `limit` is one more than was asked: the row after the last tells that there is one.
 * @throws `query/invalid-request` · `query/invalid-cursor`
 */
export function scanOf(target: ScanTarget, tenant: string, request: ListRequest<Record<string, unknown>>): Scan {
  const { query, projection } = target
  const { index, where = {}, order = 'asc', limit = defaultLimit, cursor } = request
  const fail = (problem: string): never => {
    throw new BifoldError('query/invalid-request', { query, problem })
  }
  if (!projection.indexes.some(declared => declared.join() === index.join())) {
    fail(`the projection '${projection.name}' declares no index on ${index.join(', ') || 'no column'}`)
  }
  if (order !== 'asc' && order !== 'desc') fail("order must be 'asc' or 'desc'")
  if (!Number.isSafeInteger(limit) || limit < 1 || limit > maxLimit) {
    fail(`limit must be a whole number from 1 to ${maxLimit}`)
  }
  const columns = index.map(name => target.columns.find(column => column.name === name) as Column)
  const { equal, range } = boundsOf(columns, where, fail)
  const scan = { tenant, index, equal, range, order, limit: limit + 1 }
  if (cursor === undefined) return scan
  const after = readCursor(query, scan, cursor)
  if (after === undefined) throw new BifoldError('query/invalid-cursor', { query })
  if (after.values.some((value, at) => problemOf(columns[at] as Column, value) !== undefined)) {
    throw new BifoldError('query/invalid-cursor', { query })
  }
  return { ...scan, after }
}

type Fail = (problem: string) => never

function boundsOf(
  columns: readonly Column[],
  where: Readonly<Record<string, unknown>>,
  fail: Fail,
): Pick<Scan, 'equal' | 'range'> {
  const given = Object.keys(where).filter(name => !isOpen(where[name]))
  const stranger = given.find(name => !columns.some(column => column.name === name))
  if (stranger !== undefined) fail(`the column '${stranger}' in \`where\` is not in the index`)
  const equal: Scalar[] = []
  for (const [at, column] of columns.entries()) {
    const value = where[column.name]
    if (isOpen(value)) {
      if (equal.length < given.length) fail(`\`where\` leaves out '${column.name}', and goes on behind it`)
      break
    }
    if (isRange(value)) {
      if (at + 1 < given.length) fail(`nothing may follow the range on '${column.name}'`)
      return { equal, range: rangeOf(column, value, fail) }
    }
    equal.push(checked(column, value, fail))
  }
  return { equal, range: {} }
}

const bounds = ['gt', 'gte', 'lt', 'lte'] as const

function rangeOf(column: Column, range: Range<unknown>, fail: Fail): Scan['range'] {
  const unknown = Object.keys(range).find(bound => !bounds.includes(bound as never))
  if (unknown !== undefined) fail(`a range has gt, gte, lt and lte, and no '${unknown}'`)
  if (range.gt !== undefined && range.gte !== undefined) fail(`'${column.name}' has both gt and gte`)
  if (range.lt !== undefined && range.lte !== undefined) fail(`'${column.name}' has both lt and lte`)
  const set = bounds.filter(bound => range[bound] !== undefined)
  return Object.fromEntries(set.map(bound => [bound, checked(column, range[bound], fail)]))
}

/** Does this value of `where` not narrow anything? */
function isOpen(value: unknown): boolean {
  return value === undefined || (isRange(value) && Object.values(value).every(bound => bound === undefined))
}

/** Index columns hold scalars, so an object can only be a range. */
function isRange(value: unknown): value is Range<unknown> {
  return typeof value === 'object' && value !== null
}

function checked(column: Column, value: unknown, fail: Fail): Scalar {
  const problem = problemOf(column, value)
  if (problem !== undefined) fail(`the value for '${column.name}' will not do: ${problem}`)
  return value as Scalar
}

function problemOf({ type }: Column, value: unknown): string | undefined {
  switch (type) {
    case 'text':
      return typeof value === 'string' ? problemOfText(value) : 'it must be text'
    case 'timestamp':
      return typeof value === 'string' ? timestampProblem(value) : 'it must be text'
    case 'bigint':
      return Number.isSafeInteger(value) ? undefined : 'it must be a safe integer'
    case 'double':
      return Number.isFinite(value) ? undefined : 'it must be a finite number'
    case 'boolean':
      return typeof value === 'boolean' ? undefined : 'it must be true or false'
    default:
      return `a column of type ${type} has no order`
  }
}

/** What no store holds, and a database refuses to be asked for. */
export function problemOfText(text: string): string | undefined {
  if (text.includes('\u0000')) return 'it holds a NUL character'
  return text.isWellFormed() ? undefined : 'it holds half of a surrogate pair'
}
