import { BifoldError, type Position } from '../define/index.ts'
import type { Anchor, EventLog, Page, Runtime } from '../log/index.ts'
import { nextBatchEvents } from './batch-size.ts'
import { pageAfter, readThrough } from './cut-page.ts'
import type { Parking } from './dead-letters.ts'
import { Failed } from './describe-failure.ts'
import type { Folding } from './fold.ts'
import type { Join, JoinedRows } from './join.ts'
import { readCursor, writeCursor } from './join-cursor.ts'
import { countedLate } from './keep-past.ts'
import type { ProjectorLimits } from './limits.ts'
import type { LoadBudget } from './load-budget.ts'
import { mergeSums } from './merge-sums.ts'
import { paceOf } from './pace.ts'
import { bothParkings } from './parking.ts'
import { type Batch, prepareBatch } from './prepare-batch.ts'
import { type Presented, presentDependents } from './present-dependents.ts'
import type { Rate } from './progress.ts'
import { makePruner } from './prune-past.ts'
import type { RowCache } from './row-cache.ts'
import { openShardLetters } from './shard-letters.ts'
import type { ShardStatus } from './status.ts'
import type { Checkpoint, View, ViewCommit } from './store.ts'
import { tellWaiting } from './tell-waiting.ts'
import type { Turns } from './turns.ts'

/** What the sessions of a shard hand on to each other, and to whoever asks how it is. */
export interface ShardProgress {
  state: ShardStatus['state']
  failure?: ShardStatus['failure']
  /** Everything up to here is in the view. */
  written: Anchor
  /** How many events the next page may have. */
  batchEvents: number
  /** Those of the last page that the store did not write. */
  refusedEvents?: number
  /** Sessions that failed in a row. */
  attempts: number
  /** How far and how fast it comes on while it catches up; in memory, where it is loaded in bulk. */
  catchUp?: Rate
  /** What a bulk load folded could not be written, or a row of it not be made: the log is gone through page by page. */
  isUnpresentable?: boolean
  /** A bulk load took so long that the shard was lost meanwhile: pages take less. */
  isLoadLost?: boolean
  /** How many keys of the shard stand still. */
  parkedKeys: number
  /** How often keys have failed in vain beyond the checkpoint, by the first event at which one did. */
  readonly failing: Map<Position, number>
}

/** A shard that this process may write to until somebody raises the epoch. */
export interface HeldShard {
  readonly epoch: number
  readonly at: Anchor & Pick<Checkpoint, 'cursor'>
}

export interface SessionContext {
  readonly projection: string
  readonly shard: number
  readonly view: View
  readonly log: EventLog
  /** Reads the pages that this shard folds. What other views are to be compared with is asked of the log itself. */
  readonly read: EventLog['read']
  readonly runtime: Runtime
  readonly limits: ProjectorLimits
  readonly folding: Folding
  readonly turns: Turns
  readonly cache: RowCache
  /** What the building of views may take in this process. */
  readonly budget: LoadBudget
  /** Aborted when the generation has served: until then it is being built, and what catching up takes is of the budget. */
  readonly served: AbortSignal
  /** The types of the events that are folded. */
  readonly types: readonly string[]
  /** Appends write to the view as well, and move its checkpoint. */
  readonly isWithAppend: boolean
  /** Absent where rows are made with no rows of other views. */
  readonly openJoin?: (maxRefChars?: number) => Join
  readonly progress: ShardProgress
  /** `progress` has a failure of which others are to be told. */
  readonly failed: () => void
  readonly stopping: AbortSignal
}

/** What a commit writes, and how far it moves the checkpoint. */
type Changes = Pick<ViewCommit, 'to' | 'upserts' | 'deletes' | 'madeAt' | 'rollups' | 'parking' | 'past' | 'cursor'>

const nothing = { upserts: [], deletes: [], rollups: [], past: [] } as const
const never = Number.POSITIVE_INFINITY

/** A session ended because a commit found another checkpoint than it expected. */
export class Fenced extends Error {
  /** Those of the page that was to be written. */
  readonly events: number
  constructor(events = 0) {
    super()
    this.events = events
  }
}

/**
 * Reads, folds and writes, a page at a time, while the page before is being written and the page after is being read,
 * until it is told to stop or something goes wrong. It begins at the checkpoint with nothing in memory.
 * @throws `Fenced` where the shard is no longer held · `Failed` with the event at which it stands ·
 * `project/dead-letters-full` · what the log and the store throw
 */
export async function runSession(held: HeldShard, context: SessionContext): Promise<void> {
  const { folding, turns, cache, types, projection, shard, view, log, runtime, limits, progress, stopping } = context
  const { maxParkedEvents } = limits
  /** The cache may have forgotten what a batch folded: nobody loads these rows again before they are written. */
  let mustLand = false
  /** Rows are written that are as of the next move already: the checkpoint has to follow, though nothing else changed. */
  let isPartly = false
  const begin = (): void => {
    mustLand = true
    cache.begin()
  }
  /** A part of the next move that another session has made. */
  let begun = held.at.cursor === undefined ? undefined : readCursor(held.at.cursor)
  let committed: Anchor = { position: held.at.position, fingerprint: held.at.fingerprint }
  /** Up to here the log was read; beyond `committed` it held nothing for this view. */
  let cursor = committed
  let movedAt = Number.NEGATIVE_INFINITY
  let writing: Promise<void> = Promise.resolve()
  let next: Promise<Page> | undefined
  cache.clear(committed.position === 0)
  const join = context.openJoin?.()
  // A parked key that is folded on refers to rows as of where the shard stands; where a move has begun, as of its end, since
  // rows behind its cursor are not made anew once more.
  const joinHere: JoinedRows | undefined = join && {
    ...join,
    rowsFor: (slots, _position, lastOf) => join.rowsFor(slots, (begun?.to ?? cursor).position, lastOf),
    madeAt: () => join.madeAt((begun?.to ?? cursor).position),
  }
  const letters = await openShardLetters(context, joinHere).catch(error => {
    join?.close()
    throw error
  })
  const { aside } = letters
  const pruner = makePruner(view)

  const waiting = tellWaiting(context)
  const pace = paceOf(context)
  const read = (from: Anchor): Promise<Page> =>
    context.read(from, { types, maxEvents: pace.most(progress.batchEvents) })
  const write = ({ to, past = [], ...changes }: Changes, events = 0): void => {
    const from = committed
    committed = to
    movedAt = runtime.elapsed()
    const whole = { ...changes, ...(past.length > 0 && { past }) }
    const refused = (error: unknown): never => {
      progress.refusedEvents = events
      throw error
    }
    writing = view.commit({ shard, epoch: held.epoch, from, to, ...whole }).then(outcome => {
      if (outcome === 'fenced') throw new Fenced(events)
      if (outcome === 'full') throw new BifoldError('project/dead-letters-full', { projection, limit: maxParkedEvents })
      progress.written = to
      if (to.position > from.position) progress.failing.clear()
      pruner.kept(past.length)
    }, refused)
    writing.catch(() => undefined)
  }
  /** Goes on from where appends have brought the view. Answers whether they have moved it. */
  const isOvertaken = async (): Promise<boolean> => {
    if (!context.isWithAppend) return false
    await writing
    const { epoch, position, fingerprint } = await view.checkpoint(shard)
    if (epoch !== held.epoch) throw new Fenced()
    if (position === committed.position) return false
    // Of what they have kept of the past nobody has told it: an entry for each event at most.
    if (view.keepsPast) pruner.kept(position - committed.position)
    committed = { position, fingerprint }
    progress.written = committed
    movedAt = runtime.elapsed()
    if (cursor.position < position) cursor = committed
    next = undefined
    cache.clear(false)
    return true
  }
  /** Does what is asked for with parked keys. The checkpoint stays where it is. */
  const carryOut = async (): Promise<void> => {
    await writing
    if (join !== undefined) {
      // A view that was reset has not come to here yet.
      const here = { events: [], through: begun?.to ?? cursor, atHead: true }
      if ((await join.cut(here, here.through, true)) !== here) return letters.putOff()
      // A row that is made as of the cursor is not ahead of the checkpoint.
      if (cursor.position > committed.position) write({ to: cursor, ...nothing })
      await writing
    }
    await letters.carryOut(async ({ batch = nothing, parking }) => {
      const { upserts, deletes, rollups } = batch
      const past = countedLate(batch, committed.position)
      write({ to: committed, upserts, deletes, madeAt: (begun?.to ?? cursor).position, rollups, past, parking })
      await writing
    })
  }
  /** What a commit writes of rows that were made anew. @throws `Failed` where some are to be tried again first */
  const changesOf = ({ upserts, rollups, setAside }: Presented) => {
    const parking = letters.park(setAside)
    return { upserts, deletes: [], rollups, ...(parking !== undefined && { parking }) }
  }
  /** Adds the rows that refer to what changed. `undefined`: it was told to stop, and goes on from there another time. */
  const withDependents = async (
    batch: Batch,
    parking: Parking | undefined,
    made: Join,
  ): Promise<{ readonly batch: Batch; readonly parking: Parking | undefined } | undefined> => {
    const after = begun?.last
    begun = undefined
    isPartly = after !== undefined
    if (batch.to.position === cursor.position) return { batch, parking }
    const presented = await presentDependents(batch, after, {
      ...{ join: made, folding, turns, view, aside, from: cursor, runtime, limits, stopping },
      cache: { ...cache, begin },
      write: async (part, at) => {
        isPartly = true
        write({ ...changesOf(part), to: committed, madeAt: at.to.position, cursor: writeCursor(at) })
        await writing
      },
    })
    if (presented === undefined) return undefined
    const upserts = [...batch.upserts, ...presented.upserts]
    const rollups = mergeSums(batch.rollups, presented.rollups)
    return { batch: { ...batch, upserts, rollups }, parking: bothParkings(parking, changesOf(presented).parking) }
  }
  /** Makes rows anew that refer to rows that changed late. A part that is written twice is the same. */
  const followLate = async (made: Join): Promise<void> => {
    if (!made.mayBeLate() || !(await made.late(cursor))) return
    await writing
    const presented = await presentDependents({ to: cursor, upserts: [], deletes: [] }, undefined, {
      ...{ join: made, folding, turns, view, cache, aside, from: cursor, runtime, limits, stopping },
      write: async part => {
        write({ ...changesOf(part), to: cursor })
        await writing
      },
    })
    const last = presented && changesOf(presented)
    if (last !== undefined && (last.upserts.length > 0 || last.parking !== undefined)) write({ ...last, to: cursor })
    await writing
  }
  /** Waits for events; where the checkpoint is behind the cursor, no longer than until it may be moved. */
  const idle = async (): Promise<void> => {
    const isBehind = cursor.position > committed.position
    // A log in memory answers within microtasks: whatever else waits has its turn here.
    await runtime.turn()
    // Stopped meanwhile: a signal that is aborted already tells nobody any more.
    if (stopping.aborted) return
    const dueMs = movedAt + limits.emptyMoveMs - runtime.elapsed()
    if (isBehind && dueMs <= 0) {
      if (await isOvertaken()) return
      return write({ to: cursor, ...nothing })
    }
    const waited = new AbortController()
    const wake = (): void => waited.abort()
    const lateInMs = join?.mayBeLate() === true ? limits.requestPollMs : never
    const wakeInMs = Math.min(isBehind ? dueMs : never, letters.dueInMs() ?? never, lateInMs)
    const cancel = wakeInMs === never ? undefined : runtime.after(wakeInMs, wake)
    stopping.addEventListener('abort', wake)
    await log.waitBeyond(cursor.position, waited.signal)
    stopping.removeEventListener('abort', wake)
    cancel?.()
  }

  const rest = async (): Promise<void> => {
    const waited = new AbortController()
    const wake = (): void => waited.abort()
    const cancel = runtime.after(limits.emptyMoveMs, wake)
    stopping.addEventListener('abort', wake)
    if (!stopping.aborted) await new Promise(resolve => waited.signal.addEventListener('abort', resolve))
    stopping.removeEventListener('abort', wake)
    cancel()
  }

  /** What was put off while the view was loaded is done when a shard has reached the head once. */
  let isLoaded = false
  const reachedHead = async (): Promise<void> => {
    if (isLoaded) return
    await view.loaded(shard)
    // While no shard has moved, another one may begin to load the view, and wait for this one once more.
    isLoaded = committed.position > 0
  }
  const rate = meter(runtime, committed.position)

  try {
    while (!stopping.aborted) {
      if (letters.dueInMs() === 0) {
        await isOvertaken()
        await carryOut()
      }
      const begunAt = runtime.elapsed()
      const whole = await (next ?? (begun === undefined ? read(cursor) : readThrough(read, cursor, begun.to)))
      next = undefined
      if (whole.through.position === cursor.position) {
        await writing
        recovered(progress, 'live')
        pace.end()
        await reachedHead()
        if (join !== undefined) await followLate(join)
        await idle()
        continue
      }
      if (stopping.aborted) break
      if (await isOvertaken()) {
        recovered(progress, 'live')
        await reachedHead()
        // They come on by themselves: it is enough to look at times whether they leave something behind.
        await rest()
        continue
      }
      const page = join === undefined ? whole : await join.cut(whole, cursor, begun !== undefined)
      if (join !== undefined && page.through.position < (begun?.to.position ?? cursor.position + 1)) {
        // A view that rows refer to is behind: the page is taken up again when that has moved.
        next = Promise.resolve(whole)
        await writing
        recovered(progress, 'catching-up')
        waiting.waits(join)
        await join.moved(stopping)
        continue
      }
      waiting.end()
      if (page !== whole) next = Promise.resolve(pageAfter(whole, page.through))
      else if (!page.atHead && !pace.isBounded()) {
        next = read(page.through)
        next.catch(() => undefined)
      }
      const folded = await prepareBatch(page, cursor, {
        ...{ folding, view, cache, aside, turns },
        ...(join !== undefined && { join }),
      })
      await writing
      const parked = letters.park(folded.setAside)
      const landed =
        join === undefined ? { batch: folded, parking: parked } : await withDependents(folded, parked, join)
      if (landed === undefined) return
      const { batch, parking } = landed
      cursor = batch.to
      const isEmpty = batch.upserts.length === 0 && batch.deletes.length === 0 && parking === undefined
      if (!isEmpty || isPartly || (!page.atHead && batch.failure === undefined)) {
        const { to, upserts, deletes, rollups, past } = batch
        write({ to, upserts, deletes, rollups, past, ...(parking && { parking }) }, page.events.length)
      }
      // Whether there is room for its dead letters decides how large the next page is.
      if (parking !== undefined || mustLand) await writing
      mustLand = false
      if (batch.failure !== undefined) {
        await writing
        throw new Failed(batch.failure)
      }
      recovered(progress, page.atHead ? 'live' : 'catching-up')
      if (page.atHead) pace.end()
      if (page.atHead) await reachedHead()
      else progress.catchUp = rate(cursor.position)
      const events = page.events.length
      const { writtenBytes } = batch
      progress.batchEvents = nextBatchEvents(
        progress.batchEvents,
        { events, writtenBytes, atHead: page.atHead },
        limits,
      )
      await pace.keep(begunAt, events, writing)
    }
    if (cursor.position > committed.position) {
      await writing
      write({ to: cursor, ...nothing })
    }
  } finally {
    // What is on its way is over before the next session claims, or the process ends.
    await writing.catch(() => undefined)
    pace.end()
    await pruner.done()
    join?.close()
  }
  await writing
}

/** Whatever went wrong before is over. */
export function recovered(progress: ShardProgress, now: 'live' | 'catching-up'): void {
  progress.state = now
  delete progress.failure
  delete progress.catchUp
  progress.attempts = 0
}

/** Measures how fast something comes on from a position. */
export function meter(runtime: Pick<Runtime, 'elapsed'>, from: Position): (position: Position) => Rate {
  const startedAt = runtime.elapsed()
  return position => {
    const tookMs = runtime.elapsed() - startedAt
    return { position, perSecond: tookMs > 0 ? Math.round(((position - from) * 1000) / tookMs) : 0 }
  }
}
