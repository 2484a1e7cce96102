import { isDeepStrictEqual } from 'node:util'
import type { AnyProjection, BifoldError, Position, RecordedEvent } from '../define/index.ts'
import { type FoldFailure, makeFolding, type Row, rowId, viewShapeOf } from '../project/index.ts'
import { type FoldedKey, foldKey, foldOwnRow, ownViewOf, skipsOf } from './fold-key.ts'
import type { Verifiable } from './verifiable.ts'

/** What an event makes of a row's state, and of rows that it refers to at some time. */
interface Moment {
  readonly event: RecordedEvent
  state?: Row | null
  /** By the name of the ref and the key. */
  readonly referred: Map<string, Row | null>
  /** Rows referred to that can be folded no further than before the event, by the same. */
  readonly failed: Map<string, FoldFailure>
}

/**
 * Folds a row that is made with rows of other views. It is made anew by each of its own events, and by each one that changes
 * it by changing a row to which it refers at that time.
 */
export async function foldJoinedRow(
  on: Verifiable,
  projection: AnyProjection,
  row: FoldedKey,
  through: Position,
  onFolded: (event: RecordedEvent, after: unknown) => void,
): Promise<FoldFailure | undefined> {
  const { stages } = makeFolding(viewShapeOf(projection))
  const { tenant } = row
  const moments = new Map<Position, Moment>()
  const momentOf = (event: RecordedEvent): Moment => {
    const known = moments.get(event.position) ?? { event, referred: new Map(), failed: new Map() }
    moments.set(event.position, known)
    return known
  }
  const wanted = new Map<string, { readonly ref: string; readonly key: string }>()
  const keysOf = (state: Row, event: RecordedEvent) => Object.entries(stages?.refKeys?.(state, () => event) ?? {})

  const failure = await foldKey(on, projection, row, through, (event, state) => {
    momentOf(event).state = state
    for (const [ref, key] of state === null ? [] : keysOf(state, event)) {
      if (key !== null) wanted.set(rowId({ tenant: ref, key }), { ref, key })
    }
  })
  const end = failure === undefined ? through : failure.event.position - 1
  const own = wanted.size === 0 ? undefined : await ownViewOf(on, projection)
  for (const [id, { ref, key }] of wanted) {
    const { to } = projection.refs[ref] as AnyProjection['refs'][string]
    const generation = await own?.refersTo(to.name)
    const view = await (generation === undefined ? ownViewOf(on, to) : on.views.find(viewShapeOf(to), generation))
    const skips = await skipsOf(on, to, view, { tenant, key })
    const failed = await foldOwnRow<Row>(on, to, { tenant, key, skips }, end, (event, after) => {
      momentOf(event).referred.set(id, after)
    })
    if (failed !== undefined) momentOf(failed.event).failed.set(id, failed)
  }

  const failures = new Map<string, FoldFailure>()
  const referred = new Map<string, Row | null>()
  let state: Row | null = null
  let last: unknown = null
  for (const moment of [...moments.values()].sort((a, b) => a.event.position - b.event.position)) {
    const { event } = moment
    for (const [id, after] of moment.referred) referred.set(id, after)
    for (const [id, failed] of moment.failed) failures.set(id, failed)
    const isOwn = moment.state !== undefined
    if (moment.state !== undefined) state = moment.state
    let after: unknown = null
    try {
      if (state !== null) {
        const refs = keysOf(state, event).map(([ref, key]) => ({
          ref,
          id: key === null ? '' : rowId({ tenant: ref, key }),
        }))
        // Where it refers to a row that goes no further, it is made no more: by then, or from then on.
        const failed = refs.flatMap(({ id }) => failures.get(id) ?? [])[0]
        if (failed !== undefined) return failed
        const rows = Object.fromEntries(refs.map(({ ref, id }) => [ref, referred.get(id) ?? null]))
        after = stages?.present?.(state, rows, () => event) ?? state
      }
    } catch (error) {
      return { event, error: error as BifoldError }
    }
    if (isOwn || !isDeepStrictEqual(after, last)) onFolded(event, structuredClone(after))
    last = after
  }
  return failure
}
