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
  // A parked key whose row is no further is what it was compared with.
  if (standing !== undefined && (stored?.position ?? 0) < standing.position) return false
  const through: Position = Math.max(position, stored?.madeAt ?? 0)
  const folded = { ...row, skips: await skipsOf(on, projection, view, row) }
  let state: Row | null = null
  let last: Position = 0
  const failed = await foldKey(on, projection, folded, through, (event, after) => {
    state = after
    last = event.position
  })
  if (failed !== undefined) return false
  let made: Row | null = state
  if (makeFolding(viewShapeOf(projection)).stages?.present !== undefined) {
    await foldRow<Row>(on, projection, folded, through, (_, after) => {
      made = after
    })
  }
  if (made === null || state === null) return stored === undefined || stored.doc === null
  const isState = stored?.state === undefined || stored.state === encodeRow(state)
  return stored?.doc === encodeRow(made) && isState && stored.position === last
}
