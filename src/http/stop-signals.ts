import { inspect } from 'node:util'

/** How a process ends on a signal. */
export interface StopOptions {
  /** After so long the process ends, whatever is still under way. Default 30000. */
  readonly withinMs?: number
}

/**
 * Ends the process in good order on SIGTERM and SIGINT: calls `close` once, then exits with 0. It exits with 1 where
 * `close` throws, takes longer than `withinMs`, or a second signal comes.
 *
 * @returns what takes the listeners away.
 */
export function stopOnSignals(close: () => Promise<unknown>, { withinMs = 30_000 }: StopOptions = {}): () => void {
  let stopping = false
  const stop = (): void => {
    if (stopping) process.exit(1)
    stopping = true
    setTimeout(() => process.exit(1), withinMs).unref()
    close().then(
      () => process.exit(0),
      error => {
        process.stderr.write(`${inspect(error)}\n`)
        process.exit(1)
      },
    )
  }
  process.on('SIGTERM', stop)
  process.on('SIGINT', stop)
  return () => {
    process.off('SIGTERM', stop)
    process.off('SIGINT', stop)
  }
}
