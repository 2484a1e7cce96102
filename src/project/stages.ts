import { BifoldError } from '../define/index.ts'
import { makeRowCheck, type Row } from './encode-row.ts'
import { foldedAt, type LastEvent } from './folded-at.ts'
import { makeRefKeys, type RefKeys } from './ref-keys.ts'
import { type Contribution, makeContributions } from './rollups.ts'
import type { ViewShape } from './store.ts'
import { thrown } from './thrown.ts'

/** Rows of other projections, by the names of the refs; `null` where there is none. */
export type RefRows = Readonly<Record<string, Row | null>>

/** What comes after folding, pure. Each throws the `project/…` error of what the definition got wrong. */
export interface Stages {
  /** Which rows of other views a state refers to; absent where to none. */
  readonly refKeys?: (state: Row, last: LastEvent) => RefKeys
  /** Makes a row; absent where the states are the rows. */
  readonly present?: (state: Row, refs: RefRows, last: LastEvent) => Row
  /** What a row adds to the rollups; absent where there are none. */
  readonly contributions?: (row: Row, last: LastEvent) => readonly Contribution[]
}

/** The stages of a view; `undefined` where it is folded and no more. */
export function makeStages(shape: ViewShape): Stages | undefined {
  const present = makePresent(shape)
  const contributions = makeContributions(shape.projection)
  if (present === undefined && contributions === undefined) return undefined
  const refKeys = makeRefKeys(shape.projection)
  return {
    ...(refKeys !== undefined && { refKeys }),
    ...(present !== undefined && { present }),
    ...(contributions !== undefined && { contributions }),
  }
}

function makePresent({ projection, columns }: ViewShape): Stages['present'] {
  const { name, present, row: schema, indexes } = projection
  if (present === undefined) return undefined
  const check = makeRowCheck({ giver: 'present', stage: 'row', schema, columns, indexes })
  return (state, refs, last) => {
    let given: unknown
    try {
      given = present(state, refs)
    } catch (cause) {
      const data = { ...foldedAt(name, last()), part: 'present', ...thrown(cause) }
      throw new BifoldError('project/present-failed', data, { cause })
    }
    const checked = check(given)
    if (checked.issues === undefined) return checked.row
    throw new BifoldError('project/invalid-row', {
      ...foldedAt(name, last()),
      part: 'present',
      issues: checked.issues,
    })
  }
}
