import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

/** The shop in a process of its own, as `npm start` runs it. */
export interface ShopProcess {
  /** Where it serves. Rejects with what it wrote to stderr where it ends before. */
  readonly url: Promise<string>
  /** How it ended, with what it wrote to stderr. */
  readonly ended: Promise<{ readonly code: number | null; readonly stderr: string }>
  stop(signal: NodeJS.Signals): void
}

/** With the process, or the group of processes (below 0), that its kill goes to. */
const running = new Map<ChildProcess, number | undefined>()

/** @param under `npm`: as a child of the shell that npm runs scripts in; `stop` signals that shell, as npm does. */
export function startShop(env: Readonly<Record<string, string>>, under?: 'npm'): ShopProcess {
  const path = (file: string) => fileURLToPath(new URL(file, import.meta.url))
  const args = ['--import', new URL('./from-source.ts', import.meta.url).href, path('../../src/main.ts')]
  // Something to do after the command keeps every shell from becoming the command
  const shell = ['-c', '"$@"; exit $?', 'sh', process.execPath, ...args]
  const child = spawn(under === 'npm' ? '/bin/sh' : process.execPath, under === 'npm' ? shell : args, {
    env: { PATH: process.env['PATH'] ?? '', ...(under === 'npm' ? { npm_lifecycle_event: 'start' } : {}), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: under === 'npm', // a group of its own, which can be killed as one
  })
  running.set(child, under === 'npm' && child.pid !== undefined ? -child.pid : child.pid)
  let stderr = ''
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    stderr = (stderr + chunk).slice(-4000)
  })
  const ended = once(child, 'close').then(([code]) => {
    running.delete(child)
    return { code: code as number | null, stderr }
  })
  const url = new Promise<string>((resolve, reject) => {
    let stdout = ''
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      stdout += chunk
      const [, url] = /serves at (http:\S+),/.exec(stdout) ?? []
      if (url !== undefined) resolve(url)
    })
    void ended.then(({ stderr }) => reject(new Error(`The shop ended: ${stderr}`)))
  })
  url.catch(() => undefined) // A test that waits for the end alone does not ask for the address
  return { url, ended, stop: signal => child.kill(signal) }
}

/** Kills what a failed test left behind. Belongs into `afterEach`. */
export async function killShops(): Promise<void> {
  await Promise.all(
    [...running].map(async ([child, target]) => {
      const closed = once(child, 'close')
      if (target !== undefined) process.kill(target, 'SIGKILL')
      await closed
    }),
  )
}
