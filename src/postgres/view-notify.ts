import type { Runtime } from '../log/index.ts'
import type { Database, Statement } from './client.ts'

const channel = 'bifold_views'

/** Tells whoever listens, in this process and in others, that a view may have moved. */
export interface MovedNotices {
  /** A view of which this process wants to hear. */
  opened(projection: string): void
  moved(projection: string): void
  onMoved(listener: (projection: string) => void): () => void
  close(): Promise<void>
}

/** Names in one notification, which PostgreSQL bounds to 8000 bytes. */
const namesAtOnce = 100

/**
 * The flush of a notification's commit is not waited for: all notifications of a database are committed one after the
 * other, those of the log among them, and a hint need not survive a crash.
 */
const notifyStatement: Statement = {
  name: 'bifold_view_notify',
  text: `select set_config('synchronous_commit', 'off', true), pg_notify('${channel}', $1)`,
}

/**
 * In this process a commit is told at once. To others goes a notification, after the commit and not within it, since one
 * within it makes all commits of the database wait for each other; and at most one per `notifyMs`, for all views.
 */
export function movedNotices(database: Database, runtime: Runtime, notifyMs: number): MovedNotices {
  const retryMs = 500
  const listeners = new Set<(projection: string) => void>()
  /** After a reconnect any of them may have moved. */
  const known = new Set<string>()
  const due = new Set<string>()
  let quiet: (() => void) | undefined
  let hearing: Promise<(() => Promise<void>) | undefined> | undefined
  let closed = false
  let cancelRetry = (): void => undefined

  const tell = (projection: string): void => {
    for (const listener of listeners) listener(projection)
  }
  const notify = (): void => {
    const names = [...due].slice(0, namesAtOnce)
    for (const name of names) due.delete(name)
    quiet = runtime.after(notifyMs, () => {
      quiet = undefined
      if (due.size > 0 && !closed) notify()
    })
    // A hint that is lost costs the one who waits the time until he looks for himself.
    database.sql.query(notifyStatement, [names.join(',')]).catch(() => undefined)
  }
  const tellAll = (names: string): void => {
    for (const name of names.split(',')) tell(name)
  }
  const hear = (): void => {
    hearing = database
      .listen(channel, tellAll, () => {
        for (const projection of known) tell(projection)
      })
      .catch(() => {
        if (!closed) cancelRetry = runtime.after(retryMs, hear)
        return undefined
      })
  }

  // The embedded database has one process, which is this one.
  const isShared = database.kind === 'postgres'
  return {
    opened: projection => {
      known.add(projection)
    },
    moved: projection => {
      tell(projection)
      if (!isShared) return
      due.add(projection)
      if (quiet === undefined) notify()
    },
    onMoved: listener => {
      listeners.add(listener)
      if (isShared && hearing === undefined && !closed) hear()
      return () => listeners.delete(listener)
    },
    close: async () => {
      closed = true
      cancelRetry()
      quiet?.()
      listeners.clear()
      await (await hearing)?.()
    },
  }
}
