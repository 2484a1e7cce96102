import { waitingFailure } from './describe-failure.ts'
import type { Join } from './join.ts'
import type { SessionContext } from './shard-session.ts'

/** Views are behind each other for moments all the time. What lasts is told. */
const tellAfterMs = 300

/** Tells for which view a shard waits whose rows are made with that one's. */
export function tellWaiting({ projection, progress, runtime, failed }: SessionContext) {
  let since: number | undefined
  return {
    /** It is still behind. */
    waits: (join: Pick<Join, 'furthestBehind'>): void => {
      since ??= runtime.elapsed()
      if (runtime.elapsed() - since < tellAfterMs) return
      progress.failure = waitingFailure(projection, join.furthestBehind())
      failed()
    },
    end: (): void => {
      since = undefined
      if (progress.failure?.code === 'project/waits-for-view') delete progress.failure
    },
  }
}
