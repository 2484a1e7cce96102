import { BifoldError, isError, type RecordedEvent } from '../define/index.ts'
import type { Anchor } from '../log/index.ts'
import { nextBatchEvents } from './batch-size.ts'
import { Fenced, type HeldShard, recovered, type SessionContext } from './shard-session.ts'

/** What takes the events of a batch projection, within the transaction that moves its checkpoint. */
export type Handle = (events: readonly RecordedEvent[], client: unknown) => Promise<void>

/**
 * As `runSession`, for a projection that takes whole batches: hands each page on with the store's own client, in the
 * transaction whose first statement moved the checkpoint. Nothing is held in memory, and no page is read ahead.
 * @throws `Fenced` where the shard is no longer held · `project/batch-failed` · what the log and the store throw
 */
export async function runBatchSession(held: HeldShard, handle: Handle, context: SessionContext): Promise<void> {
  const { types, view, shard, log, runtime, limits, progress, stopping } = context
  let committed = held.at
  /** Up to here the log was read; beyond `committed` it held nothing for this projection. */
  let cursor = committed
  let movedAt = Number.NEGATIVE_INFINITY

  const commit = async (to: Anchor, events: readonly RecordedEvent[]): Promise<void> => {
    const within = (client: unknown): Promise<void> => handedOver(view.projection, handle, events, client)
    const outcome = await view.commit({
      ...{ shard, epoch: held.epoch, from: committed, to, upserts: [], deletes: [] },
      ...(events.length > 0 && { within }),
    })
    if (outcome === 'fenced') throw new Fenced(events.length)
    movedAt = runtime.elapsed()
    committed = to
    cursor = to
    progress.written = to
  }
  const idle = async (): Promise<void> => {
    // A log in memory answers within microtasks: whatever else waits has its turn here.
    await runtime.turn()
    if (stopping.aborted) return
    const isBehind = cursor.position > committed.position
    const dueMs = movedAt + limits.emptyMoveMs - runtime.elapsed()
    if (isBehind && dueMs <= 0) return commit(cursor, [])
    const waited = new AbortController()
    const cancel = isBehind ? runtime.after(dueMs, () => waited.abort()) : undefined
    await log.waitBeyond(cursor.position, AbortSignal.any([stopping, waited.signal]))
    cancel?.()
  }

  while (!stopping.aborted) {
    const { events, through, atHead } = await context.read(cursor, { types, maxEvents: progress.batchEvents })
    if (through.position === cursor.position) {
      recovered(progress, 'live')
      await idle()
      continue
    }
    if (stopping.aborted) break
    if (events.length > 0 || !atHead) await commit(through, events)
    else cursor = through
    recovered(progress, atHead ? 'live' : 'catching-up')
    const result = { events: events.length, writtenBytes: 0, atHead }
    progress.batchEvents = nextBatchEvents(progress.batchEvents, result, limits)
  }
  if (cursor.position > committed.position) await commit(cursor, [])
}

async function handedOver(
  projection: string,
  handle: Handle,
  events: readonly RecordedEvent[],
  client: unknown,
): Promise<void> {
  try {
    await handle(events, client)
  } catch (cause) {
    // The database is away: that says nothing about the code.
    if (isError(cause, 'project/store-unreachable')) throw cause
    const { position: first = 0, type = '' } = events[0] ?? {}
    const last = events.at(-1)?.position ?? first
    const at = { projection, first, last, events: events.length, type, error: nameOf(cause) }
    throw new BifoldError('project/batch-failed', at, { cause })
  }
}

/** Its message is not said: it may quote what users stored. */
function nameOf(cause: unknown): string {
  if (!(cause instanceof Error)) return `a ${typeof cause}`
  const state = 'code' in cause && typeof cause.code === 'string' ? ` ${cause.code}` : ''
  const source = /^\s+at (.+)$/m.exec(cause.stack ?? '')?.[1]
  return `${cause.name}${state}${source === undefined ? '' : ` at ${source}`}`
}
