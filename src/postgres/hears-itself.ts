import type { Runtime } from '../log/index.ts'
import type { Database } from './client.ts'

/** A server answers within milliseconds; a machine that is busy takes longer. */
const timeoutMs = 5000

/**
 * Does a notification that this process sends come back to it? Not where a pooler hands the connection that listens to
 * somebody else after each transaction: then nobody here is woken by what others append, and all is found by polling.
 */
export async function hearsItself(database: Database, runtime: Pick<Runtime, 'after' | 'random'>): Promise<boolean> {
  const channel = `bifold_hears_${runtime.random().toString(36).slice(2)}`
  let hear = (_: boolean): void => undefined
  const heard = new Promise<boolean>(resolve => {
    hear = resolve
  })
  const end = await database.listen(
    channel,
    () => hear(true),
    () => undefined,
  )
  const cancel = runtime.after(timeoutMs, () => hear(false))
  try {
    await database.sql.query({ text: 'select pg_notify($1, $2)' }, [channel, ''])
    return await heard
  } finally {
    cancel()
    await end()
  }
}
