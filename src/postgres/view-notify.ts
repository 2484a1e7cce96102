import type { Runtime } from '../log/index.ts'
import type { Database } from './client.ts'

const channel = 'bifold_views'

/** Tells whoever listens, in this process and in others, that a view may have moved. */
export interface MovedNotices {
  moved(projection: string): void
  onMoved(listener: (projection: string) => void): () => void
  close(): Promise<void>
}

/**
 * In this process a commit is told at once. To others goes a notification, after the commit and not within it, since one
 * within it makes all commits of the database wait for each other; and at most one per view and `notifyMs`.
 */
export function movedNotices(database: Database, runtime: Runtime, notifyMs: number): MovedNotices {
  const retryMs = 500
  const listeners = new Set<(projection: string) => void>()
  const known = new Set<string>()
  const due = new Set<string>()
  const quiet = new Map<string, () => void>()
  let hearing: Promise<(() => Promise<void>) | undefined> | undefined
  let closed = false
  let cancelRetry = (): void => undefined

  const tell = (projection: string): void => {
    for (const listener of listeners) listener(projection)
  }
  const notify = (projection: string): void => {
    due.delete(projection)
    quiet.set(
      projection,
      runtime.after(notifyMs, () => {
        quiet.delete(projection)
        if (due.has(projection) && !closed) notify(projection)
      }),
    )
    // A hint that is lost costs the one who waits the time until he looks for himself.
    database.sql
      .query({ name: 'bifold_view_notify', text: `select pg_notify('${channel}', $1)` }, [projection])
      .catch(() => undefined)
  }
  const hear = (): void => {
    hearing = database
      .listen(channel, tell, () => {
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
    moved: projection => {
      known.add(projection)
      tell(projection)
      if (!isShared) return
      if (quiet.has(projection)) due.add(projection)
      else notify(projection)
    },
    onMoved: listener => {
      listeners.add(listener)
      if (isShared && hearing === undefined && !closed) hear()
      return () => listeners.delete(listener)
    },
    close: async () => {
      closed = true
      cancelRetry()
      for (const cancel of quiet.values()) cancel()
      listeners.clear()
      await (await hearing)?.()
    },
  }
}
