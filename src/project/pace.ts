import type { SessionContext } from './shard-session.ts'

/** How a session keeps to the budget of rebuilds, until it is at the head of the log or its generation serves. */
export function paceOf({
  budget,
  served,
  stopping,
  runtime,
}: Pick<SessionContext, 'budget' | 'served' | 'stopping' | 'runtime'>) {
  const share = budget.begin()
  const over = AbortSignal.any([served, stopping])
  let isCatchingUp = true
  const isBounded = (): boolean => budget.isBounded && isCatchingUp && !served.aborted
  return {
    isBounded,
    most: (events: number): number => (isBounded() ? budget.most(events) : events),
    /** A page has been read and folded since `begunAt`, and is being written. */
    keep: async (begunAt: number, events: number, writing: Promise<void>): Promise<void> => {
      if (!isBounded()) return
      await writing
      await share.rest({ tookMs: runtime.elapsed() - begunAt, events }, over)
    },
    end: (): void => {
      isCatchingUp = false
      share.end()
    },
  }
}
