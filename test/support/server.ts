import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { chmod, chown, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { type Binaries, findBinaries, type OsUser, serverUser } from './binaries.ts'
import { endGuarded, startGuarded } from './guard.ts'

const run = promisify(execFile)

/** `fast` ends the clients' transactions and writes a checkpoint; `immediate` is a crash: the next start recovers. */
export type HaltMode = 'fast' | 'immediate' | 'kill'

/** A PostgreSQL server of our own in a temporary directory, with PostgreSQL's default durability. */
export interface Server {
  /** A superuser's address of the database `postgres`. It stays the same over restarts. */
  readonly url: string
  /** `postgres (PostgreSQL) 18.4` */
  readonly version: string
  /** Stops it and waits until it is gone. The data stays. Default `fast`; `kill` is SIGKILL to its main process. */
  halt(mode?: HaltMode): Promise<void>
  /** Starts it again after `halt`. */
  start(): Promise<void>
  /** Copies the data of a halted server aside. Answers with what puts that state back into a halted server. */
  save(): Promise<() => Promise<void>>
  /** Stops it and removes all that it wrote. */
  stop(): Promise<void>
}

/** What a run of tests or benchmarks works on. */
export type Obtained =
  | { readonly url: string; readonly version: string; stop(): Promise<void> }
  | { readonly reason: string }

/**
 * The server at `DATABASE_URL` where that is set, else one of our own.
 *
 * @param settings as of `startServer`, for one of our own
 * @returns its address and what ends it, or the reason why there is none
 */
export async function obtainServer(settings: Readonly<Record<string, string>> = {}): Promise<Obtained> {
  const given = process.env['DATABASE_URL']
  if (given) return { url: given, version: 'DATABASE_URL', stop: async () => {} }
  try {
    return await startServer(settings)
  } catch (error) {
    return { reason: error instanceof Error ? error.message : String(error) }
  }
}

/** Why `startServer` cannot work here, or `undefined`. */
export async function noServerBecause(): Promise<string | undefined> {
  let directory: string | undefined
  try {
    const user = await serverUser()
    directory = await enterableDirectory(user)
    const binaries = await findBinaries(user, directory)
    return 'reason' in binaries ? binaries.reason : undefined
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  } finally {
    if (directory !== undefined) await rm(directory, { recursive: true, force: true })
  }
}

/**
 * Starts a server of our own on a free loopback port. It ends with this process, however that ends.
 *
 * @param settings further settings of postgresql.conf, for example `{ wal_level: 'logical' }`
 * @throws an Error that says what is missing
 */
export async function startServer(settings: Readonly<Record<string, string>> = {}): Promise<Server> {
  const user = await serverUser()
  const directory = await enterableDirectory(user)
  try {
    const binaries = await findBinaries(user, directory)
    if ('reason' in binaries) throw new Error(binaries.reason)
    const password = await initialise(binaries, user, directory)
    return await serve(binaries, user, directory, password, settings)
  } catch (error) {
    await rm(directory, { recursive: true, force: true })
    throw error
  }
}

async function serve(
  binaries: Binaries,
  user: OsUser,
  directory: string,
  password: string,
  settings: Readonly<Record<string, string>>,
): Promise<Server> {
  const data = join(directory, 'data')
  const start = (port: number) => startGuarded(binaries, user, directory, port, settings)
  let port = await freePort()
  let child = await start(port).catch(async error => {
    // Somebody took the port between our look and the server's.
    if (!says(error, 'Address already in use')) throw error
    port = await freePort()
    return await start(port)
  })
  let copies = 0

  async function halt(mode: HaltMode = 'fast'): Promise<void> {
    const signal = { fast: 'SIGINT', immediate: 'SIGQUIT', kill: 'SIGKILL' } as const
    const pidFile = await readFile(join(data, 'postmaster.pid'), 'utf8').catch(() => undefined)
    if (pidFile !== undefined) await endGuarded(child, Number.parseInt(pidFile, 10), signal[mode])
  }

  return {
    url: `postgres://bifold:${password}@127.0.0.1:${port}/postgres`,
    version: binaries.version,
    halt,
    async start() {
      child = await retried(() => start(port))
    },
    async save() {
      copies++
      const copy = join(directory, `copy-${copies}`)
      await run('cp', ['-a', data, copy], user)
      return async () => {
        await rm(data, { recursive: true })
        await run('cp', ['-a', copy, data], user)
      }
    },
    async stop() {
      await halt('fast')
      await rm(directory, { recursive: true, force: true })
    },
  }
}

/** After a SIGKILL the children of the dead server take a moment to notice, and hold its memory and port so long. */
async function retried<T>(start: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await start()
    } catch (error) {
      const held = says(error, 'still in use') || says(error, 'Address already in use')
      if (!held || attempt === 50) throw error
      await sleep(100)
    }
  }
}

/**
 * Makes the cluster. Its collation is linguistic where the build can do that, since that is what databases in
 * production have: an order that is meant to be the same on every store must say so in its SQL.
 */
async function initialise(binaries: Binaries, user: OsUser, directory: string): Promise<string> {
  const password = randomBytes(12).toString('hex')
  const passwordFile = join(directory, 'password')
  await writeFile(passwordFile, password, { mode: 0o600 })
  if (user.uid !== undefined && user.gid !== undefined) await chown(passwordFile, user.uid, user.gid)
  const common = ['-D', join(directory, 'data'), '-U', 'bifold', '-E', 'UTF8', '-A', 'scram-sha-256']
  const initdb = (...locale: string[]) =>
    run(
      join(binaries.bin, 'initdb'),
      // --no-sync: a cluster lost with the machine's power during initdb is made anew by the next run.
      [...common, '--no-sync', '--no-instructions', `--pwfile=${passwordFile}`, '--locale=C', ...locale],
      { ...user, cwd: directory, env: { PATH: process.env['PATH'] ?? '', LC_ALL: 'C' } },
    )
  await initdb('--locale-provider=icu', '--icu-locale=en-US').catch(async () => {
    await rm(join(directory, 'data'), { recursive: true, force: true })
    await initdb()
  })
  await rm(passwordFile)
  return password
}

async function enterableDirectory(user: OsUser): Promise<string> {
  for (const parent of [tmpdir(), '/tmp']) {
    const directory = await mkdtemp(join(parent, 'bifold-postgres-'))
    if (user.uid === undefined || user.gid === undefined) return directory
    await chown(directory, user.uid, user.gid)
    await chmod(directory, 0o700)
    const entered = await run('/bin/sh', ['-c', 'cd "$1"', 'sh', directory], { ...user, cwd: '/' }).catch(
      () => undefined,
    )
    if (entered !== undefined) return directory
    await rm(directory, { recursive: true })
  }
  throw new Error('there is no temporary directory that the OS user of the server can enter')
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer()
    probe.once('error', reject)
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address()
      probe.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0))
    })
  })
}

function says(error: unknown, text: string): boolean {
  return error instanceof Error && error.message.includes(text)
}
