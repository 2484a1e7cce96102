import { readFile, readlink } from 'node:fs/promises'
import { connect } from 'node:net'
import { hostname } from 'node:os'
import { join } from 'node:path'

/** Who holds a lock, as it is written beside it. */
export interface Holder extends ProcessIdentity {
  readonly host: string
  /** ISO 8601, for people. */
  readonly since: string
  /** It listens on the socket beside. */
  readonly socket: boolean
}

/** A process id alone is given out again; with these it is not. Empty where the system does not tell (no /proc). */
export interface ProcessIdentity {
  readonly pid: number
  /** Ticks between the machine's start and the process's. */
  readonly startTime: string
  /** Names the time from one start of the machine to the next. */
  readonly bootId: string
  /** In which the process id counts: each container has its own. */
  readonly pidNamespace: string
}

export async function describeProcess(): Promise<ProcessIdentity> {
  return {
    pid: process.pid,
    startTime: await startTimeOf(process.pid),
    bootId: (await readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => '')).trim(),
    pidNamespace: await readlink('/proc/self/ns/pid').catch(() => ''),
  }
}

/**
 * Is the holder of the lock at `lock` alive? `unknown` where this process cannot see it: it was on another machine,
 * or in another container without a socket. Then only a person can tell.
 */
export async function holds(holder: Holder, lock: string): Promise<'yes' | 'no' | 'unknown'> {
  const self = await describeProcess()
  if (holder.bootId !== self.bootId) return holder.host === hostname() ? 'no' : 'unknown'
  if (holder.bootId === '' && holder.host !== hostname()) return 'unknown'
  if (holder.socket) return (await answers(join(lock, 'socket'))) ? 'yes' : 'no'
  if (holder.pidNamespace !== self.pidNamespace) return 'unknown'
  return (await isRunning(holder)) ? 'yes' : 'no'
}

function answers(path: string): Promise<boolean> {
  return new Promise(done => {
    const connection = connect(path)
    connection.once('connect', () => {
      connection.destroy()
      done(true)
    })
    // Anything but these (a full backlog, no permission) comes from a socket that somebody holds.
    connection.once('error', (error: NodeJS.ErrnoException) =>
      done(error.code !== 'ECONNREFUSED' && error.code !== 'ENOENT'),
    )
  })
}

async function isRunning({ pid, startTime }: ProcessIdentity): Promise<boolean> {
  try {
    process.kill(pid, 0)
  } catch (error) {
    // EPERM: it is there, and belongs to another user.
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false
  }
  return (await startTimeOf(pid)) === startTime
}

/** Field 22 of /proc/<pid>/stat. The name before it, in parentheses, may hold spaces and parentheses itself. */
async function startTimeOf(pid: number): Promise<string> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? ''
}
