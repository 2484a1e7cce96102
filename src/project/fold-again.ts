import type { Runtime } from '../log/index.ts'
import type { Aside } from './aside.ts'
import { type BackoffLimits, backoffMs } from './backoff.ts'
import type { Folding, Routed } from './fold.ts'
import { foldInTurns } from './fold-in-turns.ts'
import { pause } from './pause.ts'
import { rowId } from './store.ts'
import type { Turns } from './turns.ts'

export interface FoldAgainContext {
  readonly folding: Pick<Folding, 'fold'>
  readonly aside: Aside
  readonly turns: Turns
  readonly runtime: Pick<Runtime, 'after' | 'random'>
  readonly limits: { readonly foldAttempts: number; readonly retry: BackoffLimits }
  /** Ends the waiting between attempts: what was folded is not to be written then. */
  readonly stopping: AbortSignal
}

/**
 * Folds the keys again that have failed in a page, each from the event on at which it did, as often as an event is tried:
 * where what was folded before is in memory alone, and is not to be folded again for one key.
 */
export async function foldAgain(routed: readonly Routed[], context: FoldAgainContext): Promise<void> {
  const { aside, runtime, limits, stopping } = context
  for (let attempts = 1; attempts < limits.foldAttempts; attempts++) {
    const failures = aside.failures()
    if (failures.length === 0) return
    await pause(runtime, backoffMs(attempts, runtime.random(), limits.retry), stopping)
    if (stopping.aborted) return
    for (const failure of failures) {
      aside.undo(failure)
      const own = routed.flatMap(({ event, slots }) => {
        const slot = slots.find(candidate => rowId(candidate) === rowId(failure))
        return slot === undefined || event.position < failure.event.position ? [] : [{ event, slots: [slot] }]
      })
      await foldInTurns(own, context)
    }
  }
}
