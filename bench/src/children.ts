import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

/** A process of our own, that says when it runs and ends when it is let go of. */
export interface Child {
  /** Kills it, as a machine that fails does. */
  kill(): Promise<void>
  /** Lets go of it: it stops in order. Rejects where it has ended by itself: what was measured meanwhile was not what it did. */
  stop(): Promise<void>
  isRunning(): boolean
  /** Calls `listener` with each word that it says from now on. */
  onSaid(listener: (word: unknown) => void): void
}

/** Starts `projector-process.ts` with these arguments. Resolves when it runs. */
export function startProjector(...args: readonly string[]): Promise<Child> {
  return startChild('./projector-process.ts', args)
}

/** Starts a program that lies here. Resolves when it runs. */
export async function startChild(file: string, args: readonly string[]): Promise<Child> {
  const child = fork(fileURLToPath(new URL(file, import.meta.url)), args)
  await Promise.race([once(child, 'message'), failed(child, file)])
  const isRunning = (): boolean => child.exitCode === null && child.signalCode === null
  const ended = (end: () => void) => async (): Promise<void> => {
    if (!isRunning()) return
    const gone = once(child, 'exit')
    end()
    await gone
  }
  const stop = ended(() => child.disconnect())
  return {
    kill: ended(() => child.kill('SIGKILL')),
    stop: async () => {
      await stop()
      if (child.exitCode !== 0) throw new Error(`${file} ended with ${String(child.exitCode ?? child.signalCode)}`)
    },
    isRunning,
    onSaid: listener => {
      child.on('message', listener)
    },
  }
}

async function failed(child: ChildProcess, file: string): Promise<never> {
  const [code] = await once(child, 'exit')
  throw new Error(`${file} ended with ${String(code)}`)
}
