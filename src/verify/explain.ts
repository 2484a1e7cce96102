import { isDeepStrictEqual } from 'node:util'
import { BifoldError, type Position, type Projection, type RecordedEvent } from '../define/index.ts'
import { defaultTenant } from '../log/index.ts'
import { type FoldFailure, mustFold, type Skip } from '../project/index.ts'
import { ownViewOf, skipsOf } from './fold-key.ts'
import { foldRow } from './fold-row.ts'
import type { Verifiable } from './verifiable.ts'

export interface RowOptions {
  /** Default: the default tenant. */
  readonly tenant?: string
}

export interface ExplainOptions extends RowOptions {
  /** Up to which event. Default: the log's last one. */
  readonly position?: Position
  /** Steps that are given; of more, the newest. Default 1000. */
  readonly maxSteps?: number
}

/** How a row came to be what it is. */
export interface Explanation<Row> {
  readonly projection: string
  readonly tenant: string
  readonly key: string
  /** Up to where the log was read. */
  readonly asOf: Position
  /** `null`: there is none. */
  readonly row: Row | null
  /** How many events made it. */
  readonly events: number
  /** The newest of them, in order. */
  readonly steps: readonly Step<Row>[]
  /** The events that are left out of it by decision. */
  readonly skipped: readonly Omit<Skip, 'tenant' | 'key'>[]
  /** The event on which the definition fails, and how: the row stays as it was before. */
  readonly failure?: FoldFailure
}

/** An event that touched a row. */
export interface Step<Row> {
  readonly event: RecordedEvent
  /** After the event. `null`: there is none. */
  readonly row: Row | null
  /** The columns that the event changed; none where it changed nothing, all where it made or deleted the row. */
  readonly changed: readonly Change[]
}

export interface Change {
  readonly column: string
  readonly from: unknown
  readonly to: unknown
}

/**
 * The events behind a row, each with the row after it and what changed. It is made from the log by the definition as it is
 * now; the store is asked only which events are skipped.
 *
 * Where the row is made with rows of other views, the events that changed these while it referred to them are behind it too.
 *
 * A view that is keyed by the streams of one contract reads one stream; any other one reads the whole log, in pages.
 *
 * @throws `verify/no-such-position` where `position` is not in the log.
 */
export async function explain<Row>(
  on: Verifiable,
  projection: Projection<Row>,
  key: string,
  options: ExplainOptions = {},
): Promise<Explanation<Row>> {
  const { tenant = defaultTenant, maxSteps = 1000 } = options
  mustFold(projection, 'explained')
  const asOf = await positionIn(on, options.position)
  const steps: Step<Row>[] = []
  let events = 0
  let row: Row | null = null
  const skips = await skipsOf(on, projection, await ownViewOf(on, projection), { tenant, key })
  const failure = await foldRow<Row>(on, projection, { tenant, key, skips }, asOf, (event, after) => {
    events++
    steps.push({ event, row: after, changed: changesOf(row, after) })
    row = after
    if (steps.length > 2 * maxSteps) steps.splice(0, steps.length - maxSteps)
  })
  return {
    projection: projection.name,
    tenant,
    key,
    asOf,
    row,
    events,
    steps: steps.slice(Math.max(0, steps.length - maxSteps)),
    skipped: skips.map(({ position, reason, at }) => ({ position, reason, at })),
    ...(failure !== undefined && { failure }),
  }
}

/**
 * The row as it was when the view had every event up to `position`, and none after it; `null` where there was none. It is
 * made as by `explain`.
 *
 * @throws `verify/no-such-position` where `position` is not in the log · `project/fold-failed`, `project/invalid-row` or
 * `project/invalid-key` where the definition fails on an event up to there.
 */
export async function rowAt<Row>(
  on: Verifiable,
  projection: Projection<Row>,
  key: string,
  position: Position,
  { tenant = defaultTenant }: RowOptions = {},
): Promise<Row | null> {
  mustFold(projection, 'folded to a past position')
  let row: Row | null = null
  const through = await positionIn(on, position)
  const skips = await skipsOf(on, projection, await ownViewOf(on, projection), { tenant, key })
  const failure = await foldRow<Row>(on, projection, { tenant, key, skips }, through, (_, after) => {
    row = after
  })
  if (failure !== undefined) throw failure.error
  return row
}

async function positionIn({ log }: Pick<Verifiable, 'log'>, position: Position | undefined): Promise<Position> {
  const head = (await log.head()).position
  if (position === undefined) return head
  if (!Number.isSafeInteger(position) || position < 0 || position > head) {
    throw new BifoldError('verify/no-such-position', { position, head })
  }
  return position
}

/** The columns in which two rows differ. */
export function changesOf(before: unknown, after: unknown): readonly Change[] {
  const from = (before ?? {}) as Readonly<Record<string, unknown>>
  const to = (after ?? {}) as Readonly<Record<string, unknown>>
  return [...new Set([...Object.keys(from), ...Object.keys(to)])]
    .filter(column => !isDeepStrictEqual(from[column], to[column]))
    .map(column => ({ column, from: from[column], to: to[column] }))
}
