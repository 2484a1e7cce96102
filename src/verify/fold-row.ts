import type { AnyProjection, Position, RecordedEvent } from '../define/index.ts'
import { type FoldFailure, makeFolding, viewShapeOf } from '../project/index.ts'
import { foldJoinedRow } from './fold-joined-row.ts'
import { type FoldedKey, foldOwnRow } from './fold-key.ts'
import type { Verifiable } from './verifiable.ts'

/** Folds one row from its first event on, and answers where it could not go on. */
export async function foldRow<Row>(
  on: Verifiable,
  projection: AnyProjection,
  row: FoldedKey,
  through: Position,
  onFolded: (event: RecordedEvent, after: Row | null) => void,
): Promise<FoldFailure | undefined> {
  const { stages } = makeFolding(viewShapeOf(projection))
  if (stages?.refKeys === undefined) return foldOwnRow(on, projection, row, through, onFolded)
  return foldJoinedRow(on, projection, row, through, onFolded as (event: RecordedEvent, after: unknown) => void)
}
