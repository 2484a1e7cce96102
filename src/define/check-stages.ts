import { BifoldError } from './errors.ts'
import type { AnyProjection } from './projection.ts'
import { sampleRows } from './sample-rows.ts'

/** Throws the `define/…` error of the first thing that is wrong with a projection's second and third stage. */
export function checkStages(projection: AnyProjection, projections: readonly AnyProjection[]): void {
  const place = `projection('${projection.name}')`
  const { row, state, present, refs, rollups } = projection
  mustBeNames(`${place}.refs`, refs)
  mustBeNames(`${place}.rollups`, rollups)
  if (present === undefined && row !== state) refuse(place, '`row` without `present`: the rows are then the states')
  if (present !== undefined) {
    mustBeFunction(`${place}.present`, present)
    if (row === state) refuse(place, '`present` without `row`: the schema of the rows that it makes')
  }
  if (present === undefined && Object.keys(refs).length > 0) {
    refuse(place, '`refs` without `present`: nothing takes the rows that they name')
  }
  for (const [name, ref] of Object.entries(refs)) {
    const at = `${place}.refs.${name}`
    mustBeNamed(at, name)
    mustBeFunction(`${at}.key`, ref?.key)
    checkRef(projection, ref.to, at, projections)
  }
  for (const [name, rollup] of Object.entries(rollups) as [string, AnyProjection['rollups'][string]][]) {
    const at = `${place}.rollups.${name}`
    mustBeNamed(at, name)
    mustBeFunction(`${at}.by`, rollup?.by)
    mustBeFunction(`${at}.sum`, rollup.sum)
    mustSumIntegers(`${at}.sum`, rollup, sampleRows(row))
  }
}

/**
 * A sum is of integers, and what a function gives is known only when it is called: so it is, on rows that were made up. Where
 * it does not take these, or gives nothing for them, nothing is known, and the first real row that it fails on is parked.
 */
function mustSumIntegers(
  place: string,
  { by, sum }: AnyProjection['rollups'][string],
  rows: readonly Readonly<Record<string, unknown>>[],
): void {
  for (const row of rows) {
    for (const [name, value] of Object.entries(summed({ by, sum }, row))) {
      const isInteger = typeof value !== 'number' || Number.isInteger(value) || !Number.isFinite(value)
      if (!isInteger) refuse(place, `'${name}' is no integer for every row: round it, or sum a smaller unit (cents)`)
    }
  }
}

function summed({ by, sum }: AnyProjection['rollups'][string], row: Readonly<Record<string, unknown>>): object {
  try {
    return by(row) === null ? {} : sum(row)
  } catch {
    return {}
  }
}

function checkRef(from: AnyProjection, to: AnyProjection, place: string, projections: readonly AnyProjection[]): void {
  if (to?.kind !== 'projection') refuse(place, '`to` must be a projection')
  if (to.batch !== undefined) refuse(place, `'${to.name}' takes whole batches, and has no rows`)
  const path = pathTo(from, to)
  if (path !== undefined) refuse(place, `it closes a cycle: ${[from.name, ...path].join(' → ')}`)
  if (Object.keys(to.refs).length > 0) {
    refuse(place, `'${to.name}' has refs itself, and rows are made in one step: refer to what it refers to`)
  }
  if (!projections.includes(to)) throw new BifoldError('define/unknown-projection', { place, projection: to.name })
}

/** The names on the way from `to` back to `from`, by the projections' names: a definition may have been copied. */
function pathTo(
  from: AnyProjection,
  to: AnyProjection,
  seen: readonly AnyProjection[] = [],
): readonly string[] | undefined {
  if (to.name === from.name) return [to.name]
  if (seen.includes(to)) return undefined
  for (const { to: next } of Object.values(to.refs)) {
    const path = pathTo(from, next, [...seen, to])
    if (path !== undefined) return [to.name, ...path]
  }
  return undefined
}

const camel = /^[a-z][A-Za-z0-9]*$/

function mustBeNamed(place: string, name: string): void {
  if (!camel.test(name) || name.length > 40) {
    throw new BifoldError('define/invalid-name', {
      place,
      name,
      rule: 'it must be in camelCase and have at most 40 characters',
    })
  }
}

function mustBeNames(place: string, given: unknown): void {
  if (typeof given !== 'object' || given === null) refuse(place, 'it must be an object, with a property for each name')
}

function mustBeFunction(place: string, given: unknown): void {
  if (typeof given !== 'function') refuse(place, 'it must be a function')
}

function refuse(place: string, problem: string): never {
  throw new BifoldError('define/invalid-definition', { place, problem })
}
