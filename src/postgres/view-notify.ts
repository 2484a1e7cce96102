import type { Runtime } from '../log/index.ts'
import type { Database, Statement } from './client.ts'

const channel = 'bifold_views'

/** Tells whoever listens, in this process and in others, that a view may have moved, or how it is carried on changed. */
export interface ViewNotices {
  /** A view of which this process wants to hear. */
  opened(projection: string): void
  moved(projection: string): void
  onMoved(listener: (projection: string) => void): () => void
  changed(projection: string): void
  /** Tells this process what a statement of its own has told the others: of one projection, or of all. */
  toldOthers(projection?: string): void
  onChanged(listener: (projection: string) => void): () => void
  close(): Promise<void>
}

/** Names in one notification, which PostgreSQL bounds to 8000 bytes. */
const namesAtOnce = 100

/** Stands before the name of a view that is to be carried on otherwise. No name begins with it; alone, it means all. */
export const changedMark = '!'

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
export function viewNotices(database: Database, runtime: Runtime, notifyMs: number): ViewNotices {
  const retryMs = 500
  const listeners = new Set<(projection: string) => void>()
  const changeListeners = new Set<(projection: string) => void>()
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
  const tellChanged = (projection?: string): void => {
    const names = projection === undefined ? known : [projection]
    for (const name of names) for (const listener of changeListeners) listener(name)
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
    for (const name of names.split(',')) {
      if (name.startsWith(changedMark)) tellChanged(name.slice(changedMark.length) || undefined)
      else tell(name)
    }
  }
  const missed = (): void => {
    for (const projection of known) tell(projection)
    tellChanged()
  }
  const hear = (): void => {
    hearing = database
      .listen(channel, tellAll, missed)
      .then(end => {
        // What was told before it was heard.
        if (!closed) missed()
        return end
      })
      .catch(() => {
        if (!closed) cancelRetry = runtime.after(retryMs, hear)
        return undefined
      })
  }

  // The embedded database has one process, which is this one.
  const isShared = database.kind === 'postgres'
  const tellOthers = (name: string): void => {
    if (!isShared) return
    due.add(name)
    if (quiet === undefined) notify()
  }
  const listen = (to: Set<(projection: string) => void>, listener: (projection: string) => void): (() => void) => {
    to.add(listener)
    if (isShared && hearing === undefined && !closed) hear()
    return () => to.delete(listener)
  }
  return {
    opened: projection => {
      known.add(projection)
    },
    moved: projection => {
      tell(projection)
      tellOthers(projection)
    },
    onMoved: listener => listen(listeners, listener),
    changed: projection => {
      tellChanged(projection)
      tellOthers(changedMark + projection)
    },
    toldOthers: tellChanged,
    onChanged: listener => listen(changeListeners, listener),
    close: async () => {
      closed = true
      cancelRetry()
      quiet?.()
      listeners.clear()
      changeListeners.clear()
      await (await hearing)?.()
    },
  }
}
