import type { BifoldError } from '../define/index.ts'
import { type EventLog, origin, type Page } from '../log/index.ts'
import { makeAside } from './aside.ts'
import type { DeadLetters, Letter, LetterRequest, ListedKey, ParkedKey, Parking, Skip } from './dead-letters.ts'
import { isUnreadable } from './describe-failure.ts'
import type { Folding } from './fold.ts'
import { foldInTurns } from './fold-in-turns.ts'
import { describe, parkedKeyOf } from './parking.ts'
import { type Batch, type BatchContext, loadRows, prepareBatch } from './prepare-batch.ts'
import type { RowKey } from './store.ts'

export interface DrainLettersContext extends Omit<BatchContext, 'aside'> {
  readonly projection: string
  readonly letters: DeadLetters
  readonly log: Pick<EventLog, 'read' | 'readAt'>
  /** The types of the events that are folded. */
  readonly types: readonly string[]
  /** Milliseconds since the epoch. */
  readonly now: number
}

/** A part of carrying a request out, to be committed without moving the checkpoint. */
export interface Drained {
  /** What it makes of the key's row. Absent: nothing. */
  readonly batch?: Batch
  readonly parking: Parking
  /** Does the key go on after this? */
  readonly isFree: boolean
  /** Is the request carried out? Otherwise more of the key's events wait. */
  readonly isDone: boolean
}

/** Events that are folded and committed at once. */
const maxEventsAtOnce = 500

/**
 * Folds what waits of a parked key on its row, in order from the first, or from the second where the first is to be
 * skipped; as much of it as goes into one commit. Where an event fails again, what came before it is in the row, and the key
 * stays parked there with the new error.
 */
export async function drainLetters(request: LetterRequest, context: DrainLettersContext): Promise<Drained> {
  const { letters, now } = context
  const row = { tenant: request.tenant, key: request.key }
  const [standing, known] = await Promise.all([letters.find(row), letters.skips(row)])
  const isSkip = request.action === 'skip' && standing?.position === request.position
  // A skip is meant for one event. Where that was skipped and what came after it was not folded to its end, that goes on.
  const wasSkipped = request.action === 'skip' && known.some(({ position }) => position === request.position)
  if (standing === undefined || (request.action === 'skip' && !isSkip && !wasSkipped)) return answered(row)
  const found = await letters.positions(row, standing.position - 1, maxEventsAtOnce + 1)
  const positions = found.slice(0, maxEventsAtOnce)
  const next = found[maxEventsAtOnce]
  const at = new Date(now).toISOString()
  const skipped: readonly Skip[] = isSkip ? [{ ...row, position: standing.position, reason: request.reason, at }] : []
  const folded = await fold(standing, positions, [...known, ...skipped], context)
  if ('error' in folded) {
    const failed = { ...standingOf(standing), ...describe(folded.error), attempts: standing.attempts + 1 }
    return { ...answered(row, failed), ...(folded.batch && { batch: folded.batch }) }
  }
  const { batch, failure } = folded
  const rest = next === undefined ? undefined : { ...standingOf(standing), position: next, ...refsAt(context) }
  const stays = failure ?? rest
  const through = failure === undefined ? (positions.at(-1) ?? standing.position) : failure.position - 1
  const isDone = failure !== undefined || next === undefined
  const parking: Parking = {
    ...nothing,
    parked: stays === undefined ? [] : [stays],
    drained: [{ ...row, position: through }],
    skipped,
    answered: isDone ? [row] : [],
  }
  return { batch, parking, isFree: stays === undefined, isDone }
}

const nothing: Parking = { parked: [], letters: [], drained: [], skipped: [], answered: [], maxEvents: 0 }

function answered(row: RowKey, parked?: ParkedKey): Drained {
  const parking = { ...nothing, parked: parked === undefined ? [] : [parked], answered: [row] }
  return { parking, isFree: false, isDone: true }
}

type Folded =
  | { readonly error: BifoldError; readonly batch?: Batch }
  | { readonly batch: Batch; readonly failure: ParkedKey | undefined }

async function fold(
  standing: ListedKey,
  positions: readonly number[],
  skips: readonly Letter[],
  context: DrainLettersContext,
): Promise<Folded> {
  const { folding, log, projection } = context
  const from = { position: standing.position - 1, fingerprint: '' }
  const aside = makeAside(projection, { skips })
  const { join } = context
  const own = {
    ...{ ...context, folding: onlyOf(standing, folding), anew: standing },
    // A change of what its row refers to is no event of the key: its row is made anew there, whatever else waits.
    ...(join && { join: { ...join, changesOf: () => [standing.position] } }),
  }
  /** As it stood, where somebody who died had folded it on. */
  let asItStood: Batch | undefined
  const read = async (): Promise<Folded | Page> => {
    if (await standsFurther(standing, own)) {
      const error = await foldToWhereItStands(standing, skips, own)
      if (error !== undefined) return { error }
      const before = { events: [], through: from, atHead: false }
      // Of an aside of its own: that no row can be made of it any more keeps none of what waits from being folded.
      asItStood = await prepareBatch(before, from, { ...own, aside: makeAside(projection, { skips }) })
    }
    const events = await log.readAt(positions)
    return { events, through: { position: positions.at(-1) ?? 0, fingerprint: '' }, atHead: false }
  }
  try {
    const page = await read()
    if ('error' in page || 'batch' in page) return page
    const batch = await prepareBatch(page, from, { ...own, aside })
    if (batch.failure !== undefined) return { error: batch.failure.error, ...(asItStood && { batch: asItStood }) }
    const failed = batch.setAside?.failures[0]
    const again = { since: standing.since, attempts: standing.attempts + 1 }
    if (failed === undefined) return { batch, failure: undefined }
    // Where its row cannot be made as it was before either, that is left as it is.
    const { refsAt: left } = standing
    return { batch, failure: { ...(left !== undefined && { refsAt: left }), ...parkedKeyOf(failed, again) } }
  } catch (error) {
    if (isUnreadable(error)) return { error, ...(asItStood && { batch: asItStood }) }
    throw error
  }
}

/**
 * Is the row of a parked key further than where that stands? Where rows may be ahead, one that somebody has folded on who
 * died before that was committed is; and what he was asked for need not be what is to be done.
 */
async function standsFurther(standing: ListedKey, { view, cache }: DrainLettersContext): Promise<boolean> {
  if (view.mayBeAhead !== true) return false
  cache.begin()
  const slot = cache.slot(standing.tenant, standing.key)
  await loadRows(view, [slot])
  return slot.position >= standing.position
}

/** Folds a key from its first event on to where it stands, and holds it in the cache. Answers why it cannot. */
async function foldToWhereItStands(
  standing: ListedKey,
  skips: readonly Letter[],
  { folding, cache, log, types, turns, projection }: DrainLettersContext,
): Promise<BifoldError | undefined> {
  const slot = cache.slot(standing.tenant, standing.key)
  Object.assign(slot, { state: null, position: 0 })
  delete slot.loaded
  const aside = makeAside(projection, { skips, parked: [standing] })
  for (let cursor = origin; cursor.position < standing.position - 1; ) {
    const page = await log.read(cursor, { types, maxEvents: maxEventsAtOnce })
    if (page.through.position === cursor.position) break
    const { routed, failure } = await folding.route(page.events, () => slot, turns)
    if (failure !== undefined) return failure.error
    await foldInTurns(routed, { folding, aside, turns })
    const [failed] = aside.failures()
    if (failed !== undefined) return failed.error
    cursor = page.through
  }
  return undefined
}

/** Of events over several keys, this one alone. */
function onlyOf({ tenant, key }: RowKey, folding: Folding): Folding {
  const isOwn = (row: RowKey): boolean => row.tenant === tenant && row.key === key
  return { ...folding, route: (events, slotOf, turns) => folding.route(events, slotOf, turns, isOwn) }
}

function standingOf({ shard: _shard, events: _events, ...parked }: ListedKey): ParkedKey {
  return parked
}

/** Of which position the rows are that a row is made with when it is folded on. */
function refsAt({ join }: Pick<DrainLettersContext, 'join'>): Pick<ParkedKey, 'refsAt'> {
  return join === undefined ? {} : { refsAt: join.madeAt(0) }
}
