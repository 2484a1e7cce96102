import { hash } from 'node:crypto'
import type { Scalar, Scan } from '../project/index.ts'

type Start = NonNullable<Scan['after']>
type Unbegun = Omit<Scan, 'after' | 'limit'>

/**
 * A cursor: the place behind which the next rows begin, and a hash of the request it belongs to. Callers pass it on and
 * do not read it. It names a place, not a row: it stays good when the row is changed or deleted.
 */
export function writeCursor(query: string, scan: Unbegun, start: Start): string {
  return Buffer.from(JSON.stringify([requestHash(query, scan), start.key, ...start.values])).toString('base64url')
}

/** The place that a cursor names, or `undefined` where it is none of this request. */
export function readCursor(query: string, scan: Unbegun, cursor: string): Start | undefined {
  const [request, key, ...values] = partsOf(cursor)
  if (request !== requestHash(query, scan) || typeof key !== 'string') return undefined
  if (values.length !== scan.index.length || !values.every(isScalar)) return undefined
  return { key, values }
}

function partsOf(cursor: string): readonly unknown[] {
  try {
    const parts: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString())
    return Array.isArray(parts) ? parts : []
  } catch {
    return []
  }
}

/** The limit is no part of it: a caller may ask for more rows from the same place. */
function requestHash(query: string, { tenant, index, equal, range, order }: Unbegun): string {
  const { gt, gte, lt, lte } = range
  const bounds = [gt, gte, lt, lte].map(bound => (bound === undefined ? [] : [bound]))
  return hash('sha256', JSON.stringify([query, tenant, index, equal, bounds, order]), 'base64url').slice(0, 16)
}

function isScalar(value: unknown): value is Scalar {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
}
