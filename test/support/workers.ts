import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

/** A process of our own that runs a TypeScript file. */
export interface Worker {
  readonly pid: number
  /** Every line that it wrote to stdout so far. */
  readonly lines: readonly string[]
  /** Resolves with the first line, written or to come, that `matches`. Rejects when it ends without one. */
  line(matches: (line: string) => boolean): Promise<string>
  /** Writes a line to its stdin. */
  tell(line: string): void
  /** Sends a signal (default SIGKILL) and waits until it is gone. */
  kill(signal?: NodeJS.Signals): Promise<void>
  /** How it ended, with what it wrote to stderr. */
  readonly ended: Promise<{ readonly code: number | null; readonly signal: string | null; readonly stderr: string }>
}

const running = new Set<ChildProcess>()

/**
 * Runs `file`, relative to `from` (`import.meta.url`), with this process's Node, which strips its types. Workers still
 * running are killed by `killWorkers`, which belongs into `afterAll`, and at the latest when this process exits.
 */
export function spawnWorker(from: string, file: string, args: readonly string[] = []): Worker {
  const child = spawn(process.execPath, [fileURLToPath(new URL(file, from)), ...args], {
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  running.add(child)
  const lines: string[] = []
  let rest = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    const parts = (rest + chunk).split('\n')
    rest = parts.pop() ?? ''
    lines.push(...parts)
    child.emit('lines')
  })
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    stderr = (stderr + chunk).slice(-4000)
  })
  // A worker that was killed closes its end first; what we meant to tell it is then of no use.
  child.stdin.on('error', () => {})
  const ended = once(child, 'close').then(([code, signal]) => {
    running.delete(child)
    return { code: code as number | null, signal: signal as string | null, stderr }
  })
  return {
    pid: child.pid ?? 0,
    lines,
    ended,
    async line(matches) {
      for (let next = 0; ; ) {
        for (; next < lines.length; next++) {
          const line = lines[next]
          if (line !== undefined && matches(line)) return line
        }
        const over = await Promise.race([once(child, 'lines').then(() => undefined), ended])
        if (over !== undefined && next === lines.length) {
          throw new Error(`The worker ${file} ended (${over.code ?? over.signal}) without the line: ${over.stderr}`)
        }
      }
    },
    tell: line => child.stdin.write(`${line}\n`),
    async kill(signal = 'SIGKILL') {
      child.kill(signal)
      await ended
    },
  }
}

export async function killWorkers(): Promise<void> {
  await Promise.all(
    [...running].map(async child => {
      const closed = once(child, 'close')
      child.kill('SIGKILL')
      await closed
    }),
  )
}

process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})
