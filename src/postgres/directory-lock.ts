import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:net'
import { hostname } from 'node:os'
import { join, resolve } from 'node:path'
import { BifoldError } from '../define/index.ts'
import { type Runtime, systemRuntime } from '../log/index.ts'
import { describeProcess, type Holder, holds } from './lock-holder.ts'

export interface DirectoryLock {
  /** Gives the directory to the next. */
  release(): Promise<void>
}

/**
 * Takes the directory of an embedded database for this process alone: PGlite lets two processes open one directory
 * without an error, and they destroy each other's data. A lock whose holder was killed is taken over.
 *
 * The lock is a chain of numbered directories in `bifold.lock`, each made whole aside and moved into place, which one
 * of several contenders can do. The holder is in the one with the highest number. That is never removed, only
 * followed: were numbers used again, a contender that slept since it found a dead holder could take the place of a
 * living one. So whoever has moved a number into place holds the lock only if no higher one is there then.
 *
 * @throws `embedded/directory-locked`, which names the holder
 */
export async function lockDirectory(directory: string, runtime: Runtime = systemRuntime): Promise<DirectoryLock> {
  const locks = join(resolve(directory), 'bifold.lock')
  // Whoever is overtaken finds the other one as the holder in its next turn, so the turns are few.
  for (;;) {
    await mkdir(locks, { recursive: true })
    const last = (await numbersIn(locks)).at(-1) ?? 0
    if (last > 0) await refuseIfHeld(directory, join(locks, String(last)))
    const taken = await takeNumber(locks, last + 1, runtime)
    if (taken !== undefined) return taken
  }
}

async function refuseIfHeld(directory: string, lock: string): Promise<void> {
  const released = await readFile(join(lock, 'released')).catch(ignoreMissing)
  if (released !== undefined) return
  const holder = holderIn(await readFile(join(lock, 'holder.json'), 'utf8').catch(ignoreMissing))
  if (holder === undefined) return
  const state = await holds(holder, lock)
  if (state === 'no') return
  const { pid, host, since } = holder
  throw new BifoldError('embedded/directory-locked', {
    directory,
    pid,
    host,
    since,
    ...(state === 'unknown' ? { lock } : {}),
  })
}

/**
 * Nothing where a later holder removed this one meanwhile, which shows when we have taken our number, and where the
 * text is cut short: it was whole before it came into place, so the machine's power failed since.
 */
function holderIn(text: string | undefined): Holder | undefined {
  try {
    return JSON.parse(text ?? '') as Holder
  } catch {
    return undefined
  }
}

/** Moves a lock of ours into place under `number`. Answers nothing where another process was faster or has passed it. */
export async function takeNumber(locks: string, number: number, runtime: Runtime): Promise<DirectoryLock | undefined> {
  const prepared = await mkdtemp(join(locks, 'next-'))
  const lock = join(locks, String(number))
  const server = await listenIn(prepared)
  const holder: Holder = {
    ...(await describeProcess()),
    host: hostname(),
    since: new Date(runtime.now()).toISOString(),
    socket: server !== undefined,
  }
  await writeFile(join(prepared, 'holder.json'), JSON.stringify(holder))
  const moved = await rename(prepared, lock).then(
    () => true,
    error => {
      if (['ENOTEMPTY', 'EEXIST', 'EPERM'].includes(error.code)) return false
      throw error
    },
  )
  const mine = moved && (await numbersIn(locks)).at(-1) === number
  if (!mine) {
    await close(server)
    await rm(moved ? lock : prepared, { recursive: true, force: true })
    return undefined
  }
  for (const older of await numbersIn(locks)) {
    if (older < number) await rm(join(locks, String(older)), { recursive: true, force: true })
  }
  return {
    release: async () => {
      // Missing: the whole directory was removed while we held it.
      await writeFile(join(lock, 'released'), '').catch(ignoreMissing)
      await close(server)
    },
  }
}

/**
 * Listens on a socket beside the holder's name. The kernel closes it with the process, and answers who connects
 * however busy the process is: it tells the living from the dead across containers too, where process ids do not.
 * `undefined` where the file system or the length of the path does not allow it.
 */
async function listenIn(prepared: string): Promise<Server | undefined> {
  const path = join(prepared, 'socket')
  if (process.platform === 'win32' || Buffer.byteLength(path) > longestSocketPathBytes) return undefined
  const server = createServer(connection => connection.destroy())
  server.unref()
  return await new Promise(done => {
    server.once('error', () => done(undefined))
    server.listen(path, () => done(server))
  })
}

const longestSocketPathBytes = 100

function close(server: Server | undefined): Promise<void> {
  return new Promise(done => (server === undefined ? done() : server.close(() => done())))
}

async function numbersIn(locks: string): Promise<number[]> {
  const names = await readdir(locks)
  return names
    .filter(name => /^[1-9][0-9]*$/.test(name))
    .map(Number)
    .sort((a, b) => a - b)
}

function ignoreMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error
  return undefined
}
