import type { Runtime } from '../log/index.ts'
import type { View, ViewStore } from './store.ts'

export interface HoldContext {
  readonly store: Pick<ViewStore, 'paused' | 'onGenerations'>
  readonly view: Pick<View, 'projection' | 'checkpoint'>
  readonly shard: number
  readonly runtime: Runtime
}

/** How often to look, beside the hints of the store, which may be lost. */
const heldLookMs = 5000
const pausedLookMs = 1000

/**
 * Looks whether a shard is still held under `epoch`. What operators do to a projection raises its epochs, and fences every
 * commit; this is for the one that has nothing to commit, and would not notice. The signal is aborted then, and by `stopped`.
 */
export function watchHold(
  { store, view, shard, runtime }: HoldContext,
  epoch: number,
  stopped: AbortSignal,
): { readonly signal: AbortSignal; readonly end: () => void } {
  const lost = new AbortController()
  let cancelPoll = (): void => undefined
  const look = async (): Promise<void> => {
    // Where the store cannot be asked, the session finds that out by itself.
    const now = await view.checkpoint(shard).catch(() => undefined)
    if (now !== undefined && now.epoch !== epoch) lost.abort()
  }
  const poll = (): void => {
    cancelPoll = runtime.after(heldLookMs, () => {
      poll()
      void look()
    })
  }
  const endHints = store.onGenerations(projection => {
    if (projection === view.projection) void look()
  })
  poll()
  return {
    signal: AbortSignal.any([stopped, lost.signal]),
    end: () => {
      endHints()
      cancelPoll()
    },
  }
}

/** Resolves when a paused projection may have been resumed, from time to time, or when `stopped` is aborted. */
export function untilResumed({ store, view, runtime }: HoldContext, stopped: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    const done = (): void => {
      cancelPoll()
      endHints()
      stopped.removeEventListener('abort', done)
      resolve()
    }
    const cancelPoll = runtime.after(pausedLookMs, done)
    const endHints = store.onGenerations(projection => {
      if (projection === view.projection) done()
    })
    stopped.addEventListener('abort', done)
    if (stopped.aborted) done()
  })
}
