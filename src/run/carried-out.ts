import { BifoldError } from '../define/index.ts'
import type { Runtime } from '../log/index.ts'
import type { RowKey, View } from '../project/index.ts'
import { type Gate, mustBeOpen } from './of-app.ts'

interface CarriedOutOptions extends Pick<Gate, 'isClosed'> {
  /** Of which key. Default: of all. */
  readonly key?: RowKey
  readonly timeoutMs: number
  readonly runtime: Runtime
}

const minPauseMs = 5
const maxPauseMs = 100

/**
 * Resolves when nothing is asked any more of those who hold these generations. A holder says nothing when it is done: it is
 * looked up in the store, which all processes have.
 * @throws `project/retry-pending` · `run/closed` where the system is closed meanwhile: it stays asked for
 */
export async function carriedOut(
  views: readonly View[],
  { key, timeoutMs, runtime, isClosed }: CarriedOutOptions,
): Promise<void> {
  const startedMs = runtime.elapsed()
  // Waiting is nothing but timers, which keep no process alive.
  const mayEnd = runtime.stayAlive()
  try {
    let left = views
    for (let pauseMs = minPauseMs; ; pauseMs = Math.min(pauseMs * 2, maxPauseMs)) {
      mustBeOpen({ isClosed })
      const open = await Promise.all(left.map(async view => ({ view, requests: await view.letters.openRequests(key) })))
      const waiting = open.filter(({ requests }) => requests > 0)
      const [first] = waiting
      if (first === undefined) return
      left = waiting.map(({ view }) => view)
      const waitedMs = Math.round(runtime.elapsed() - startedMs)
      if (waitedMs >= timeoutMs) {
        const generations = left.map(({ generation }) => generation)
        const keys = waiting.reduce((sum, { requests }) => sum + requests, 0)
        throw new BifoldError('project/retry-pending', {
          projection: first.view.projection,
          generations,
          waitedMs,
          keys,
        })
      }
      await new Promise<void>(resolve => {
        runtime.after(Math.min(pauseMs, timeoutMs - waitedMs), resolve)
      })
    }
  } finally {
    mayEnd()
  }
}
