import { compareText, type RowKey, type ShardCheckpoint, type Standing } from '../../src/project/index.ts'
import { readCursor } from '../../src/project/join-cursor.ts'
import type { WalkPoint } from '../../src/project/walk-dependents.ts'
import { fragileName, isFragile } from './ledger.ts'
import type { RefChange, Reference } from './reference.ts'

/** Of a shard whose rows are made with rows of another view. */
export interface JoinedAt {
  readonly checkpoint: ShardCheckpoint
  /** Before this position, what rows of the other view were is forgotten: those as of it are right. */
  readonly exactFrom: number
  /** It is parked: then the rows that it is made with stand still too. */
  readonly standing?: Standing
}

/** What a row may be, given its state. With the cursor in the checkpoint some rows are already as of the next position. */
export function joinedDocs(
  key: RowKey,
  state: string,
  { checkpoint, exactFrom, standing }: JoinedAt,
  reference: Reference,
): readonly (string | null)[] {
  if (standing?.refsAt !== undefined) return [reference.rowOf(key, state, standing.refsAt)]
  // It fails to be made at one moment, and not at the next.
  if (standing !== undefined) return reference.rowsFrom(key, state, 0)
  const { position, cursor } = checkpoint
  const rowAt = (at: number): string => reference.rowOf(key, state, Math.max(at, exactFrom))
  const here = rowAt(position)
  if (cursor === undefined) return [here]
  const { to, last } = readCursor(cursor)
  const isWithin = (at: number): boolean => at > position && at <= to.position
  const changes = reference.changesOf(key, state).filter(change => isWithin(change.position))
  const there = rowAt(to.position)
  // A key that was parked and goes on meanwhile is as of the end already.
  const mayPark = isFragile(key.key) || reference.rowsFrom(key, state, 0).some(doc => doc?.includes(fragileName))
  if (!changes.some(change => isPassed(change, key, last))) return mayPark ? [here, there] : [here]
  // What the batch itself touches is written with it, at the end.
  return reference.positionsOf(key).some(isWithin) ? [here, there] : [there]
}

function isPassed({ ref, tenant, key: of }: RefChange, { key }: RowKey, last: WalkPoint): boolean {
  const order =
    compareText(ref, last.ref) ||
    compareText(tenant, last.tenant) ||
    compareText(of, last.of) ||
    compareText(key, last.key)
  return order <= 0
}
