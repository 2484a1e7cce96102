import type { Position, RecordedEvent } from '../define/index.ts'
import type { Anchor, Runtime } from '../log/index.ts'
import { overheadBytes, textBytes } from './bulk-rows.ts'
import type { Slot } from './fold.ts'
import type { Join } from './join.ts'

/** Rows whose references are looked up at once. */
const chunkRows = 500

/**
 * Waits until the views referred to have come to a point of the log, no longer than `waitMs`. None of their shards is at its
 * beginning then, where it could still be loaded in bulk and keep nothing of how its rows changed since.
 */
export async function comesTo(
  join: Pick<Join, 'cut' | 'moved'>,
  at: Anchor,
  context: {
    readonly runtime: Pick<Runtime, 'elapsed'>
    readonly waitMs: number
    readonly stopping: AbortSignal
    readonly waits?: () => void
  },
): Promise<boolean> {
  const { runtime, waitMs, stopping } = context
  const until = runtime.elapsed() + waitMs
  const here = { events: [], through: at, atHead: true }
  while ((await join.cut(here, at, true)) !== here) {
    if (stopping.aborted || runtime.elapsed() >= until) return false
    context.waits?.()
    await join.moved(stopping)
  }
  return true
}

/**
 * Looks up all that rows refer to as of `position`, into the memory of `join`, a bounded number at a time: before the first row
 * is written, since an embedded database answers nobody while it does that. `false`: there is no memory for it, or it was told
 * to stop.
 */
export async function gatherRefs(
  join: Pick<Join, 'rowsFor' | 'kept'>,
  rows: readonly Slot[],
  position: Position,
  context: {
    readonly runtime: Pick<Runtime, 'turn'>
    readonly stopping: AbortSignal
    readonly holds: (bytes: number) => boolean
  },
): Promise<boolean> {
  const { runtime, stopping, holds } = context
  for (let first = 0; first < rows.length; first += chunkRows) {
    await join.rowsFor(rows.slice(first, first + chunkRows), position, () => unknown)
    const bytes = join.kept().reduce((sum, kept) => sum + kept.rows * overheadBytes + textBytes(kept.chars), 0)
    if (!holds(bytes) || stopping.aborted) return false
    await runtime.turn()
  }
  return true
}

/** A key that cannot be told is met once more, where rows are made. */
function unknown(): RecordedEvent {
  throw new Error('no event is known')
}
