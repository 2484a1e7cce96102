import type { LoadShare } from './load-budget.ts'
import type { SessionContext } from './shard-session.ts'

/** How a session keeps to the budget of rebuilds, until it is at the head of the log or its generation serves. */
export function paceOf({ budget, served, stopping }: Pick<SessionContext, 'budget' | 'served' | 'stopping'>) {
  const share = budget.begin()
  const over = AbortSignal.any([served, stopping])
  let isCatchingUp = true
  return {
    most: (events: number): number => (isCatchingUp && !served.aborted ? budget.most(events) : events),
    keep: async (work: Parameters<LoadShare['rest']>[0]): Promise<void> => {
      if (isCatchingUp && !over.aborted) await share.rest(work, over)
    },
    end: (): void => {
      isCatchingUp = false
      share.end()
    },
  }
}
