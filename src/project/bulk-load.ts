import { isError, type RecordedEvent } from '../define/index.ts'
import { type Anchor, fingerprintOf, type Page } from '../log/index.ts'
import { type Aside, type KeyFailure, makeAside, type SetAside } from './aside.ts'
import { comesTo, gatherRefs } from './bulk-refs.ts'
import { type BulkRows, makeBulkRows } from './bulk-rows.ts'
import type { Letter, Parking } from './dead-letters.ts'
import { isUnreadable } from './describe-failure.ts'
import type { Row } from './encode-row.ts'
import type { Slot } from './fold.ts'
import { foldAgain } from './fold-again.ts'
import { foldInTurns } from './fold-in-turns.ts'
import type { Join } from './join.ts'
import type { LoadShare } from './load-budget.ts'
import { parkingOf } from './parking.ts'
import { upsertOf } from './prepare-batch.ts'
import { addUp } from './rollups.ts'
import { Fenced, type HeldShard, meter, type SessionContext } from './shard-session.ts'
import type { RefRows } from './stages.ts'
import type { DeletedRow, Upsert } from './store.ts'
import { tellWaiting } from './tell-waiting.ts'

/** Rows that are encoded and handed to the store at once. */
const pageRows = 500
/**
 * Events that are read at once. All of a page is in memory at a time, and what lives that long is moved twice by the garbage
 * collector: pages of 10000 cost a third more than these, and much smaller ones a statement too often.
 */
const pageEvents = 2000
/** How often other processes are told how far a load is. */
const reportMs = 1000

/**
 * A row cannot be made of what was folded: which event is to blame is found by going event by event. Or there are more dead
 * letters than there may be: what can be written of the log is found in the same way. Or each change of a row has to be kept,
 * for a view that refers to it. Or the rows that those folded here refer to are not to be had, or are too many.
 */
class Unpresentable extends Error {}

/**
 * Brings a shard that has nothing yet up to where the head of a long log is now: folds in memory, without writing, makes
 * each row once, with the rows it refers to as of where it ends, and writes all of them at once. Where that cannot be, it
 * brings the shard as far as it can, and the session after it goes on from there: at the bound on memory, before an event
 * whose `key` fails, and where it is told to stop, before anything. Nothing is written before all is, so that whoever is
 * killed has left nothing behind.
 * @throws as `runSession`
 */
export async function loadInBulk(held: HeldShard, context: SessionContext): Promise<HeldShard> {
  const { log, budget, progress, openJoin, isWithAppend, view, shard } = context
  if (held.at.position > 0 || progress.isUnpresentable === true || progress.isLoadLost === true) return held
  const head = await log.head()
  if (head.position < budget.limits.minEvents) return held
  // Appends were faster: until it is said that the view is loaded they write to it, and afterwards leave it alone.
  if (isWithAppend && (await view.checkpoint(shard)).position > 0) throw new Fenced()
  progress.state = 'catching-up'
  const join = openJoin?.(Number.POSITIVE_INFINITY)
  // Views that are as new as this one are loaded first: they have come to the head at once, and nothing waits in memory.
  const waiting = tellWaiting(context)
  if (join !== undefined) {
    const forEver = { runtime: context.runtime, waitMs: Number.POSITIVE_INFINITY, stopping: context.stopping }
    const came = comesTo(join, head, { ...forEver, waits: () => waiting.waits(join) })
    const isThere = await came.catch(error => {
      join.close()
      throw error
    })
    if (!isThere) {
      join.close()
      return held
    }
  }
  waiting.end()
  const share = budget.begin()
  try {
    const goal = join === undefined ? head.position : (await log.head()).position
    return await load(held, goal, { share, ...(join !== undefined && { join }) }, context)
  } catch (error) {
    if (error instanceof Fenced) progress.isLoadLost = true
    if (!(error instanceof Unpresentable)) throw error
    progress.isUnpresentable = true
    return held
  } finally {
    share.end()
    join?.close()
    delete progress.catchUp
  }
}

interface Loading {
  readonly share: LoadShare
  /** Absent where rows are made with no rows of other views. */
  readonly join?: Join
}

async function load(held: HeldShard, goal: number, loading: Loading, context: SessionContext): Promise<HeldShard> {
  const { projection, shard, view, limits, runtime, progress, stopping } = context
  const { share, join } = loading
  const rows = makeBulkRows(view.mayBeAhead)
  const rate = meter(runtime, held.at.position)
  let reportedAt = Number.NEGATIVE_INFINITY
  const report = async (position: number): Promise<void> => {
    progress.catchUp = rate(position)
    if (runtime.elapsed() - reportedAt < reportMs) return
    reportedAt = runtime.elapsed()
    await view.loading(shard, held.epoch, { ...progress.catchUp, goal })
  }
  await report(0)
  const aside = makeAside(projection, await view.letters.held(shard))
  const failures: KeyFailure[] = []
  const letters: Letter[] = []
  const gather = (setAside: SetAside | undefined): void => {
    failures.push(...(setAside?.failures ?? []))
    letters.push(...(setAside?.letters ?? []))
    if (letters.length > limits.maxParkedEvents) throw new Unpresentable()
  }
  const bytes = (): number => (join === undefined ? rows.bytes() : rows.bytes() * 2)
  const through = await foldAll({ rows, bytes, aside, gather, share, report }, held.at, goal, context)
  if (stopping.aborted || through.position === held.at.position) return held
  const sorted = [...rows.sorted()]
  if (join !== undefined) {
    const waitMs = context.budget.limits.refWaitMs
    const holds = (refBytes: number): boolean => share.holds(rows.bytes() + refBytes)
    const isThere =
      (await comesTo(join, through, { runtime, waitMs, stopping })) &&
      (await gatherRefs(join, sorted, through.position, { runtime, stopping, holds }))
    if (stopping.aborted) return held
    if (!isThere) throw new Unpresentable()
  }
  const kept = { attempts: limits.foldAttempts, now: runtime.now(), maxEvents: limits.maxParkedEvents }
  const parking = letters.length === 0 ? undefined : parkingOf({ failures, letters }, kept)
  return write({ rows: sorted, ...loading }, parking, held, through, context)
}

interface Bulk {
  readonly rows: BulkRows
  /** What they take, and as much again where they refer to others, which are in memory when they are written. */
  readonly bytes: () => number
  readonly aside: Aside
  /** Takes what a page has set aside. */
  readonly gather: (setAside: SetAside | undefined) => void
  readonly share: LoadShare
  readonly report: (position: number) => Promise<void>
}

/** Folds pages up to `goal`. Answers with how far it got. */
async function foldAll(bulk: Bulk, from: Anchor, goal: number, context: SessionContext): Promise<Anchor> {
  const { rows, bytes, aside, gather, share, report } = bulk
  const { types, limits, budget, folding, turns, runtime, stopping } = context
  const mostEvents = Math.min(pageEvents, limits.maxBatchEvents)
  const read = (at: Anchor): Promise<Page> => {
    const page = context.read(at, { types, maxEvents: budget.most(mostEvents) })
    page.catch(() => undefined)
    return page
  }
  let through = from
  let next: Promise<Page> | undefined
  while (through.position < goal && !stopping.aborted) {
    const begunAt = runtime.elapsed()
    const page = await (next ?? read(through)).catch(error => {
      // The session finds which event it is, and stands there.
      if (isUnreadable(error) && !isError(error, 'log/rewound')) return undefined
      throw error
    })
    if (page === undefined || page.through.position === through.position) break
    next = budget.isBounded || page.through.position >= goal ? undefined : read(page.through)
    const { routed, failure } = await folding.route(page.events, rows.slot, turns)
    await foldInTurns(routed, { folding, aside, turns })
    await foldAgain(routed, { folding, aside, turns, runtime, limits, stopping })
    gather(aside.take())
    rows.passed(routed)
    if (failure !== undefined) return lastBefore(failure.event, page.events, through)
    through = page.through
    await report(through.position)
    await share.rest({ tookMs: runtime.elapsed() - begunAt, events: page.events.length }, stopping)
    if (!share.holds(bytes())) break
  }
  return through
}

async function write(
  { rows, join, share }: Loading & { readonly rows: readonly Slot[] },
  parking: Parking | undefined,
  held: HeldShard,
  to: Anchor,
  context: SessionContext,
): Promise<HeldShard> {
  const { folding, turns, shard, view, budget, progress, runtime, stopping } = context
  const { stages } = folding
  const presents = stages?.present !== undefined
  const sums = addUp()
  const part = stages === undefined ? 'rows' : stages.present === undefined ? 'rollups' : 'present'
  const unknown = (): RecordedEvent => {
    throw new Unpresentable()
  }

  /** Makes the row of a state, and adds it to the sums. */
  const rowOf = (tenant: string, state: Row, refs: RefRows): Row => {
    const row = stages?.present?.(state, refs, unknown) ?? state
    for (const contribution of stages?.contributions?.(row, unknown) ?? []) sums.add(tenant, contribution, 1)
    return row
  }
  async function* pages(): AsyncGenerator<readonly Upsert[]> {
    const most = budget.most(pageRows)
    for (let first = 0; first < rows.length; first += most) {
      const slots = rows.slice(first, first + most)
      const joined = await join?.rowsFor(slots, to.position, () => unknown)
      const page: Upsert[] = []
      await turns.over(part, slots, slot => {
        const { tenant, state } = slot
        if (state == null) return
        const own = joined?.get(slot)
        if (own?.error !== undefined) throw new Unpresentable()
        page.push(upsertOf(slot, rowOf(tenant, state, own?.rows ?? {}), presents, own))
      })
      if (page.length > 0) yield page
    }
  }
  /** All is work that lies between two rests. */
  let begunAt = runtime.elapsed()
  const rest = async (): Promise<void> => {
    await share.rest({ tookMs: runtime.elapsed() - begunAt, events: 0 }, stopping)
    begunAt = runtime.elapsed()
  }

  const { epoch, at: from } = held
  const deletes = (): readonly DeletedRow[] =>
    rows.flatMap(({ tenant, key, position, state }) => (state === null ? [{ tenant, key, position }] : []))
  const outcome = await budget.inTurn(() => {
    begunAt = runtime.elapsed()
    return view.bulkLoad({
      ...{ shard, epoch, from, to, pages: pages(), deletes, rollups: () => sums.sums() },
      ...(budget.isBounded && { rest }),
      ...(parking !== undefined && { parking }),
    })
  })
  await rest()
  if (outcome === 'full' || outcome === 'needs-past') throw new Unpresentable()
  if (outcome === 'fenced') throw new Fenced()
  progress.written = to
  return { epoch, at: to }
}

function lastBefore(failed: RecordedEvent, events: readonly RecordedEvent[], from: Anchor): Anchor {
  const last = events.filter(({ position }) => position < failed.position).at(-1)
  return last === undefined ? from : { position: last.position, fingerprint: fingerprintOf(last.id) }
}
