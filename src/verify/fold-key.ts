import { type AnyProjection, BifoldError, type Position, type RecordedEvent } from '../define/index.ts'
import { origin, systemRuntime } from '../log/index.ts'
import {
  type FoldFailure,
  makeAside,
  makeFolding,
  makeTurns,
  ownOf,
  type RowKey,
  type Skip,
  type Slot,
  type Row as State,
  seeGenerations,
  type View,
  viewShapeOf,
} from '../project/index.ts'
import type { Verifiable } from './verifiable.ts'

/** The view whose rows are folded: that of the generation that serves, or else the newest; `undefined`: it was not deployed. */
export async function ownViewOf(
  { views }: Pick<Verifiable, 'views'>,
  projection: AnyProjection,
): Promise<View | undefined> {
  const shape = viewShapeOf(projection)
  const own = ownOf(await seeGenerations(views, shape))
  return own === undefined ? undefined : views.find(shape, own)
}

/** What is left out of a row: in this view, or in one that was made now. */
export async function skipsOf(
  { views }: Pick<Verifiable, 'views'>,
  projection: AnyProjection,
  view: Pick<View, 'letters'> | undefined,
  row: RowKey,
): Promise<readonly Skip[]> {
  if (view === undefined) return views.skips(projection.name, row)
  return view.letters.skips(row)
}

/** A row, and the events that are left out of it. */
export interface FoldedKey extends RowKey {
  readonly skips: readonly Skip[]
}

type OnFolded<Row> = (event: RecordedEvent, after: Row | null) => void

/** Folds one row that is made of its own state alone, from its first event on, and answers where it could not go on. */
export async function foldOwnRow<Row>(
  on: Pick<Verifiable, 'log'>,
  projection: AnyProjection,
  row: FoldedKey,
  through: Position,
  onFolded: OnFolded<Row>,
): Promise<FoldFailure | undefined> {
  const { stages } = makeFolding(viewShapeOf(projection))
  return foldKey(on, projection, row, through, (event, state) => {
    const after = state === null ? null : (stages?.present?.(state, {}, () => event) ?? state)
    // A copy: what is handed out must not be what is folded on.
    onFolded(event, structuredClone(after) as Row | null)
  })
}

/** Folds the state of one row. What `onFolded` throws is where it could not go on. */
export async function foldKey(
  { log }: Pick<Verifiable, 'log'>,
  projection: AnyProjection,
  { tenant, key, skips }: FoldedKey,
  through: Position,
  onFolded: OnFolded<State>,
): Promise<FoldFailure | undefined> {
  const folding = makeFolding(viewShapeOf(projection))
  const mine: Slot = { tenant, key, state: null, stored: null, position: 0 }
  const other: Slot = { tenant: '', key: '', state: null, stored: null, position: 0 }
  const aside = makeAside(projection.name, { skips })
  const turns = makeTurns({ runtime: systemRuntime, turnEvents: 500 })
  const slotOf = (ofTenant: string, ofKey: string): Slot => (ofTenant === tenant && ofKey === key ? mine : other)
  for await (const events of pagesFor(log, projection, { tenant, key }, through)) {
    const { routed, failure } = await folding.route(events, slotOf, turns)
    for (const { event, slots } of routed) {
      if (!slots.includes(mine)) continue
      folding.fold([{ event, slots: [mine] }], aside)
      const failed = aside.take()?.failures[0]
      if (failed !== undefined) return { event, error: failed.error }
      if (mine.position !== event.position) continue
      try {
        onFolded(event, mine.state ?? null)
      } catch (error) {
        return { event, error: error as BifoldError }
      }
    }
    if (failure !== undefined) return failure
  }
  return undefined
}

const pageEvents = 5000

async function* pagesFor(
  log: Verifiable['log'],
  projection: AnyProjection,
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
