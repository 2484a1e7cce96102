import type { AnyProjection, Position } from '../define/index.ts'
import {
  encodeRow,
  makeFolding,
  type Row,
  type RowKey,
  rowId,
  shardOf,
  type View,
  viewShapeOf,
} from '../project/index.ts'
import { foldKey, skipsOf } from './fold-key.ts'
import { foldRow } from './fold-row.ts'
import type { Verifiable } from './verifiable.ts'

/**
 * Is a row, or its absence, what the log makes of it? For views whose rows may be ahead of their checkpoint: each is compared
 * as of where itself is, and no earlier than its shard's checkpoint was before the row was read.
 */
export async function isAsMade(
  on: Verifiable,
  projection: AnyProjection,
  view: Pick<View, 'checkpoint' | 'letters' | 'load' | 'shards'>,
  { tenant, key }: RowKey,
): Promise<boolean> {
  const row = { tenant, key }
  const { position } = await view.checkpoint(shardOf(row, view.shards))
  const stored = (await view.load([row])).get(rowId(row))
  const standing = await view.letters.find(row)
  const isFurther = standing !== undefined && (stored?.position ?? 0) >= standing.position
  // Whoever carries out what is asked for has written the row, and not yet said so.
  if (isFurther && (await view.letters.openRequests(row)) === 0) return false
  const isStanding = standing !== undefined && !isFurther
  const through: Position = isStanding
    ? standing.position - 1
    : Math.max(position, stored?.position ?? 0, stored?.madeAt ?? 0)
  const folded = { ...row, skips: await skipsOf(on, projection, view, row) }
  let state: Row | null = null
  let last: Position = 0
  const failed = await foldKey(on, projection, folded, through, (event, after) => {
    state = after
    last = event.position
  })
  if (failed !== undefined) return false
  let made: Row | null = state
  const { stages } = makeFolding(viewShapeOf(projection))
  /** Its row is made with rows of other views as they were at some time, or with one that stands still itself. */
  let isAnyDoc = isStanding && stages?.refKeys !== undefined
  if (stages?.present !== undefined && !isAnyDoc) {
    const failure = await foldRow<Row>(on, projection, folded, through, (_, after) => {
      made = after
    })
    isAnyDoc = failure !== undefined
  }
  if (made === null || state === null) return stored === undefined || stored.doc === null
  const isState = stored?.state === undefined || stored.state === encodeRow(state)
  return (isAnyDoc || stored?.doc === encodeRow(made)) && isState && stored?.position === last
}
