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

const running = new Set<ChildProcess>()

export function startShop(env: Readonly<Record<string, string>>): ShopProcess {
  const path = (file: string) => fileURLToPath(new URL(file, import.meta.url))
  const args = ['--import', new URL('./from-source.ts', import.meta.url).href, path('../../src/main.ts')]
  const child = spawn(process.execPath, args, {
    env: { PATH: process.env['PATH'] ?? '', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  running.add(child)
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
    [...running].map(async child => {
      const closed = once(child, 'close')
      child.kill('SIGKILL')
      await closed
    }),
  )
}
