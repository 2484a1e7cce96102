import type { Runtime } from '../log/index.ts'

/** Waits so long, or until `signal` is aborted. */
export function pause(runtime: Pick<Runtime, 'after'>, delayMs: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise(resolve => {
    const done = (): void => {
      cancel()
      signal.removeEventListener('abort', done)
      resolve()
    }
    const cancel = runtime.after(delayMs, done)
    signal.addEventListener('abort', done)
  })
}
