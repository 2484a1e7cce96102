import type { ColumnType } from '../define/index.ts'
import type { Scalar } from './store.ts'

/** The order of one column's values, the same in every store: text by code point, timestamps by instant. */
export function compareScalars(type: ColumnType, a: Scalar, b: Scalar): number {
  if (type === 'timestamp') return compare(microsecondsOf(String(a)), microsecondsOf(String(b)))
  return typeof a === 'string' && typeof b === 'string' ? compareText(a, b) : compare(a, b)
}

/**
 * Compares by code point, as UTF-8 bytes do (PostgreSQL's collation "C"). JavaScript compares UTF-16 units, which puts
 * characters beyond U+FFFF before U+E000.
 */
export function compareText(a: string, b: string): number {
  const length = Math.min(a.length, b.length)
  for (let at = 0; at < length; at++) {
    const unitA = a.charCodeAt(at)
    const unitB = b.charCodeAt(at)
    if (unitA !== unitB) return rankOf(unitA) - rankOf(unitB)
  }
  return a.length - b.length
}

function rankOf(unit: number): number {
  if (unit < 0xd800) return unit
  return unit < 0xe000 ? unit + 0x2000 : unit - 0x800
}

function compare<T extends Scalar | bigint>(a: T, b: T): number {
  return a < b ? -1 : a > b ? 1 : 0
}

const timestamp =
  /^(\d{4})-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])T([01]\d|2[0-3]):[0-5]\d(?::([0-5]\d)(?:\.(\d+))?)?(?:Z|[+-](?:0\d|1[0-5]):[0-5]\d)$/

/**
 * What keeps `text` from being a timestamp that every store holds alike, or `undefined`: a date and time with an
 * offset, ISO 8601, from the year 1 on, to the microsecond.
 */
export function timestampProblem(text: string): string | undefined {
  const [, year, month, day, , , fraction] = timestamp.exec(text) ?? []
  if (year === undefined) return 'it must be a date and time with an offset, ISO 8601'
  if (year === '0000') return 'the year must be 0001 or later'
  if (fraction !== undefined && fraction.length > 6) return 'it must have at most 6 digits behind the second'
  return Number(day) > daysIn(Number(year), Number(month)) ? 'there is no such day' : undefined
}

function daysIn(year: number, month: number): number {
  if (month === 2) return (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0 ? 29 : 28
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31
}

/** The instant of a timestamp that has no problem. A bigint: microseconds pass the safe integers in the year 2255. */
function microsecondsOf(text: string): bigint {
  const fraction = timestamp.exec(text)?.[6] ?? ''
  const whole = Date.parse(fraction === '' ? text : text.replace(`.${fraction}`, ''))
  return BigInt(whole) * 1000n + BigInt(fraction.padEnd(6, '0'))
}
