import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import type { Binaries, OsUser } from './binaries.ts'

/**
 * The server ends when we do, however we end: a shell stands between, reading a pipe whose other end only we hold.
 * When that closes by itself (we were killed) the shell stops the server and removes its directory.
 */
const guard = `
exec 3<&0
directory=$1; shift
"$@" 3<&- </dev/null &
server=$!
( read -r _ <&3 || { : > "$directory/abandoned"; kill -INT $server; } ) 2>/dev/null >/dev/null &
watcher=$!
wait $server
status=$?
if [ -e "$directory/abandoned" ]; then rm -rf "$directory"; else kill $watcher 2>/dev/null; fi
exit $status
`

const readyTimeoutMs = 60_000
const messageBytes = 4000

/** Starts `postgres` on `data` under the guard, and waits until it takes connections. Answers with the guard. */
export async function startGuarded(
  binaries: Binaries,
  user: OsUser,
  directory: string,
  port: number,
  settings: Readonly<Record<string, string>>,
): Promise<ChildProcess> {
  const options = Object.entries({ ...defaults, ...settings }).flatMap(([name, value]) => ['-c', `${name}=${value}`])
  const server = [join(binaries.bin, 'postgres'), '-D', join(directory, 'data'), '-p', String(port), ...options]
  const child = spawn('/bin/sh', ['-c', guard, 'sh', directory, ...server], {
    ...user,
    cwd: directory,
    env: { PATH: process.env['PATH'] ?? '', LC_ALL: 'C' },
    // In a session of its own, so that Ctrl-C reaches us alone, and we stop the server in order.
    detached: true,
    stdio: ['pipe', 'ignore', 'pipe'],
  })
  await ready(child)
  // A process that forgot to stop its server may end; the guard then stops it.
  for (const handle of [child, child.stdin, child.stderr] as unknown as readonly { unref(): void }[]) handle.unref()
  return child
}

/** Sends the server under `child` a signal, `SIGKILL` included, and waits until it and its guard are gone. */
export async function endGuarded(child: ChildProcess, serverPid: number, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  child.ref()
  const gone = once(child, 'exit')
  process.kill(serverPid, signal)
  await gone
}

const defaults = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  // Two test workers, each with pools and processes of its own.
  max_connections: '200',
}

function ready(child: ChildProcess): Promise<void> {
  let said = ''
  return new Promise<void>((resolve, reject) => {
    const fail = (what: string): void => reject(new Error(`PostgreSQL ${what}: ${said.trim()}`))
    const timer = setTimeout(() => {
      child.stdin?.end()
      fail(`did not start within ${readyTimeoutMs} ms`)
    }, readyTimeoutMs)
    child.once('error', error => fail(`could not be started (${error.message})`))
    child.once('exit', () => fail('did not start'))
    child.stderr?.on('data', (chunk: Buffer) => {
      said = (said + chunk.toString()).slice(-messageBytes)
      if (!said.includes('database system is ready to accept connections')) return
      clearTimeout(timer)
      resolve()
    })
    child.once('exit', () => clearTimeout(timer))
  })
}
