import type { AnyProjection, RecordedEvent } from '../../src/index.ts'
import type { Letter, RowKey } from '../../src/project/index.ts'
import { isFragile } from './ledger.ts'

/** What a projection makes of its events under one key, at and after a position. `null`: nothing. */
interface State {
  readonly position: number
  readonly doc: string | null
}

/** A row that a state refers to, and when it changed. */
export interface RefChange extends RowKey {
  readonly ref: string
  readonly position: number
}

/** What each row of a projection was at every position, by the plainest fold that there is. */
export interface Reference {
  readonly head: number
  /** All states that there are, each as of the position that is given for it, with the position of its last event. */
  states(asOf: (key: RowKey) => number): ReadonlyMap<string, { readonly position: number; readonly doc: string }>
  stateAt(key: RowKey, position: number): string | null
  /** Everything that the state was up to a position. */
  statesUpTo(key: RowKey, position: number): readonly (string | null)[]
  /** The row that is made of a state with the rows that it refers to as of `position`; the state where that is the row. */
  rowOf(key: RowKey, state: string, position: number): string
  /** All rows that are made of a state as of `position` and later ones; those of no state are no row. */
  rowsFrom(key: RowKey, state: string | null, position: number): readonly (string | null)[]
  /** All rows that there were as of `position` and later. */
  rowsSince(key: RowKey, position: number): readonly (string | null)[]
  /** All rows that are made of a state with rows of which one may stand still at any position: none where that cannot be. */
  rowsHeld(key: RowKey, state: string | null): readonly string[]
  /** The changes of rows that a state refers to. */
  changesOf(key: RowKey, state: string): readonly RefChange[]
  /** The positions of the events that are folded into a row. */
  positionsOf(key: RowKey): readonly number[]
}

export const idOf = ({ tenant, key }: RowKey): string => JSON.stringify([tenant, key])

/** @param skips events that are left out of rows. */
export function makeReference(
  projection: AnyProjection,
  log: readonly RecordedEvent[],
  skips: readonly Letter[],
): Reference {
  const skipped = new Set(skips.map(skip => `${idOf(skip)} ${skip.position}`))
  const history = new Map<string, State[]>()
  for (const event of log) {
    const fold = projection.on[event.type]
    if (fold === undefined) continue
    for (const key of keysOf(projection, event)) {
      const id = idOf({ tenant: event.tenant, key })
      if (skipped.has(`${id} ${event.position}`)) continue
      const states = history.get(id) ?? []
      history.set(id, states)
      const before = states.at(-1)?.doc ?? null
      const after: unknown = fold(before === null ? null : JSON.parse(before), event, key)
      states.push({ position: event.position, doc: after === null ? null : JSON.stringify(after) })
    }
  }
  const statesOf = (key: RowKey): readonly State[] => history.get(idOf(key)) ?? []
  const at = (key: RowKey, position: number): State =>
    statesOf(key).findLast(state => state.position <= position) ?? { position: 0, doc: null }
  const referred = Object.entries(projection.refs).map(([ref, { to, key }]) => {
    const rows = makeReference(to, log, [])
    return { ref, rows, keyOf: (state: string) => key(JSON.parse(state)) as string | null }
  })
  const rowOf: Reference['rowOf'] = ({ tenant }, state, position) => {
    if (projection.present === undefined) return state
    const found = referred.map(({ ref, rows, keyOf }) => {
      const key = keyOf(state)
      const doc = key === null ? null : rows.stateAt({ tenant, key }, position)
      return [ref, doc === null ? null : JSON.parse(doc)]
    })
    return JSON.stringify(projection.present(JSON.parse(state), Object.fromEntries(found)))
  }
  const rowsHeld: Reference['rowsHeld'] = ({ tenant }, state) => {
    const refs = state === null ? [] : referred.map(({ ref, rows, keyOf }) => ({ ref, rows, key: keyOf(state) }))
    if (state === null || !refs.some(({ key }) => key !== null && isFragile(key))) return []
    const choices = refs.map(({ rows, key }) => (key === null ? [null] : rows.statesUpTo({ tenant, key }, log.length)))
    const together = choices.reduce<readonly (readonly (string | null)[])[]>(
      (all, docs) => all.flatMap(one => [...new Set(docs)].map(doc => [...one, doc])),
      [[]],
    )
    return together.map(docs => {
      const found = refs.map(({ ref }, n) => [ref, docs[n] == null ? null : JSON.parse(docs[n])])
      return JSON.stringify(projection.present?.(JSON.parse(state), Object.fromEntries(found)))
    })
  }
  const changesOf: Reference['changesOf'] = ({ tenant }, state) =>
    referred.flatMap(({ ref, rows, keyOf }) => {
      const key = keyOf(state)
      if (key === null) return []
      return rows.positionsOf({ tenant, key }).map(position => ({ ref, tenant, key, position }))
    })
  const rowsFrom: Reference['rowsFrom'] = (key, state, position) => {
    if (state === null) return [null]
    const later = changesOf(key, state).filter(change => change.position > position)
    return [position, ...later.map(change => change.position)].map(one => rowOf(key, state, one))
  }
  return {
    head: log.length,
    states: asOf => {
      const states = new Map<string, { readonly position: number; readonly doc: string }>()
      for (const id of history.keys()) {
        const [tenant, name] = JSON.parse(id) as [string, string]
        const key = { tenant, key: name }
        const { position, doc } = at(key, asOf(key))
        if (doc !== null) states.set(id, { position, doc })
      }
      return states
    },
    stateAt: (key, position) => at(key, position).doc,
    statesUpTo: (key, position) => [
      null,
      ...statesOf(key)
        .filter(state => state.position <= position)
        .map(({ doc }) => doc),
    ],
    rowOf,
    rowsFrom,
    rowsSince: (key, position) => {
      const later = statesOf(key).filter(state => state.position > position)
      return [at(key, position), ...later].flatMap(({ doc }) => rowsFrom(key, doc, position))
    },
    rowsHeld,
    changesOf,
    positionsOf: key => statesOf(key).map(({ position }) => position),
  }
}

function keysOf({ key }: AnyProjection, event: RecordedEvent): readonly string[] {
  if (key === 'stream') return [event.streamId]
  const keys = key[event.type]?.(event) ?? []
  return typeof keys === 'string' ? [keys] : [...new Set(keys)]
}
