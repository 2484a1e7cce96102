import { isDeepStrictEqual } from 'node:util'
import { BifoldError, type Position, type Projection, type RecordedEvent } from '../define/index.ts'
import { defaultTenant, origin } from '../log/index.ts'
import { type FoldFailure, makeFolding, type RowKey, type Slot, viewShapeOf } from '../project/index.ts'
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
 * now; no store is asked.
 *
 * A view that is keyed by the streams of one contract reads one stream; any other one reads the whole log, in pages.
 *
 * @throws `verify/no-such-position` where `position` is not in the log.
 */
export async function explain<Row>(
  on: Pick<Verifiable, 'log'>,
  projection: Projection<Row>,
  key: string,
  options: ExplainOptions = {},
): Promise<Explanation<Row>> {
  const { tenant = defaultTenant, maxSteps = 1000 } = options
  const asOf = await positionIn(on, options.position)
  const steps: Step<Row>[] = []
  let events = 0
  let row: Row | null = null
  const failure = await foldRow(on, projection, { tenant, key }, asOf, (event, after) => {
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
  on: Pick<Verifiable, 'log'>,
  projection: Projection<Row>,
  key: string,
  position: Position,
  { tenant = defaultTenant }: RowOptions = {},
): Promise<Row | null> {
  let row: Row | null = null
  const through = await positionIn(on, position)
  const failure = await foldRow(on, projection, { tenant, key }, through, (_, after) => {
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

/** Folds one row from its first event on, and answers where it could not go on. */
async function foldRow<Row>(
  { log }: Pick<Verifiable, 'log'>,
  projection: Projection<Row>,
  { tenant, key }: RowKey,
  through: Position,
  onFolded: (event: RecordedEvent, after: Row | null) => void,
): Promise<FoldFailure | undefined> {
  const folding = makeFolding(viewShapeOf(projection))
  const mine: Slot = { tenant, key, row: null, position: 0 }
  const other: Slot = { tenant: '', key: '', row: null, position: 0 }
  const slotOf = (ofTenant: string, ofKey: string): Slot => (ofTenant === tenant && ofKey === key ? mine : other)
  for await (const events of pagesFor(log, projection, { tenant, key }, through)) {
    const { routed, failure } = folding.route(events, slotOf)
    for (const { event, slots } of routed) {
      if (!slots.includes(mine)) continue
      const failed = folding.fold([{ event, slots: [mine] }])
      if (failed !== undefined) return failed
      // A copy: what is handed out must not be what is folded on.
      onFolded(event, structuredClone(mine.row) as Row | null)
    }
    if (failure !== undefined) return failure
  }
  return undefined
}

const pageEvents = 5000

async function* pagesFor(
  log: Verifiable['log'],
  projection: Projection<unknown>,
  { tenant, key }: RowKey,
  through: Position,
): AsyncGenerator<readonly RecordedEvent[]> {
  const upTo = (events: readonly RecordedEvent[]) => events.filter(({ position }) => position <= through)
  const [contract, ...others] = projection.from
  if (projection.key === 'stream' && contract !== undefined && others.length === 0) {
    const stream = { tenant, category: contract.category, id: key }
    for (let fromVersion = 1; ; fromVersion += pageEvents) {
      const events = await log.readStream(stream, { fromVersion, maxEvents: pageEvents })
      yield upTo(events)
      if (events.length < pageEvents || (events.at(-1)?.position ?? 0) >= through) return
    }
  }
  const types = Object.keys(projection.on)
  let cursor = origin
  while (cursor.position < through) {
    const page = await log.read(cursor, { types, maxEvents: pageEvents })
    if (page.through.position === cursor.position) throw new BifoldError('log/rewound', { position: through })
    yield upTo(page.events)
    cursor = page.through
  }
}

function changesOf(before: unknown, after: unknown): readonly Change[] {
  const from = (before ?? {}) as Readonly<Record<string, unknown>>
  const to = (after ?? {}) as Readonly<Record<string, unknown>>
  return [...new Set([...Object.keys(from), ...Object.keys(to)])]
    .filter(column => !isDeepStrictEqual(from[column], to[column]))
    .map(column => ({ column, from: from[column], to: to[column] }))
}
