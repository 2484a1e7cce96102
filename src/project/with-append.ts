import { BifoldError, isError, type Position, type RecordedEvent, sayIssues } from '../define/index.ts'
import {
  type Anchor,
  type OpenBatch,
  type Page,
  type Participant,
  type Participation,
  Refused,
  type Runtime,
} from '../log/index.ts'
import type { AppendLimits } from './append-limits.ts'
import { type KeyFailure, makeAside } from './aside.ts'
import { isUnreadable } from './describe-failure.ts'
import { type Folding, makeFolding } from './fold.ts'
import { defaultProjectorLimits, type ProjectorLimits } from './limits.ts'
import { parkingOf } from './parking.ts'
import { carriedOf, type SeenGenerations } from './plan-generations.ts'
import { prepareBatch } from './prepare-batch.ts'
import type { ProjectorSettings } from './projector.ts'
import { makeRowCache } from './row-cache.ts'
import type { View, ViewShape, ViewStore } from './store.ts'
import { makeTurns } from './turns.ts'
import type { HeldCheckpoint, ViewInAppend } from './view-in-append.ts'
import type { GenerationWatch } from './watch-generations.ts'

interface Context {
  readonly runtime: Runtime
  readonly limits: AppendLimits & Pick<ProjectorLimits, 'maxParkedEvents'>
}

/** The projections that are committed with appends, as a process's log sees them. */
export interface WithAppend {
  readonly participant: Participant
  /** Takes part for those generations of a projection that this process carries on, or would. */
  follow(watch: GenerationWatch): Promise<void>
}

/** A generation that appends of this process write to. */
interface Joined {
  readonly view: View
  readonly folding: Folding
  readonly types: ReadonlySet<string>
  /** Somebody else held its checkpoint when it was last asked for: until it is to be had, appends wait for it a tenth as long. */
  isHeld?: boolean
  /** Here it stands before an event that only the projector gets over: until it has moved, it is not tried again. */
  stuckAt?: Position
}

const shard = 0

/**
 * Folds the events of a batch into the views of projections that are committed with appends, in the transaction of the
 * batch, by the code by which the projector folds. A view that does not stand right before the batch is brought there
 * first if that is little, and else left alone: whoever carries it on brings it to the head, and appends write to it again.
 *
 * @param settings of the process's projector. Each has a default.
 */
export function makeWithAppend(
  store: Pick<ViewStore, 'open'>,
  runtime: Runtime,
  settings: ProjectorSettings = {},
): WithAppend {
  const { appendGapEvents, appendGapPositions, appendHoldMs, maxParkedEvents } = {
    ...defaultProjectorLimits,
    ...settings,
  }
  const context = { runtime, limits: { appendGapEvents, appendGapPositions, appendHoldMs, maxParkedEvents } }
  const joined = new Map<string, readonly Joined[]>()
  let all: readonly Joined[] = []
  /** Asked for each event that is appended, whatever it is. */
  let concerning: ReadonlySet<string> = new Set()

  const carry = async (shape: ViewShape, seen: SeenGenerations): Promise<void> => {
    const { name } = shape.projection
    const known = joined.get(name) ?? []
    const wanted = carriedOf(seen, shape)
    const open = async (generation: number): Promise<Joined> => {
      const same = known.find(({ view }) => view.generation === generation)
      if (same !== undefined) return same
      const view = await store.open(shape, generation)
      // The backend says that it is one database with the log; then its views say how.
      if (view.inAppend === undefined) throw new BifoldError('project/not-one-database', { projection: name })
      return { view, folding: makeFolding(shape), types: new Set(Object.keys(shape.projection.on)) }
    }
    // The oldest first, as everybody locks them who locks more than one.
    const opened: Joined[] = []
    for (const generation of wanted) opened.push(await open(generation))
    joined.set(name, opened)
    all = [...joined.values()].flat()
    concerning = new Set(all.flatMap(({ types }) => [...types]))
  }

  return {
    participant: {
      concerns: type => concerning.has(type),
      join: () => participate(all, context),
    },
    follow: async watch => {
      const { shape } = watch
      let carrying = carry(shape, watch.seen())
      watch.onSeen(seen => {
        // What cannot be opened now is opened after the next look.
        carrying = carrying.then(() => carry(shape, seen)).catch(() => undefined)
      })
      await carrying
    },
  }
}

function participate(all: readonly Joined[], context: Context): Participation {
  /** What this batch goes on without. */
  const without = new Set<Joined>()
  let writing: Joined | undefined
  let losses = 0
  let written: ViewInAppend[] = []
  return {
    within: async open => {
      const refused = new Map<Position, BifoldError>()
      written = []
      for (const one of all) {
        if (without.has(one)) continue
        writing = one
        const view = await write(one, open, refused, context)
        if (view !== undefined) written.push(view)
      }
      writing = undefined
      if (refused.size > 0) throw new Refused(refused)
    },
    committed: () => {
      for (const view of written) view.moved()
    },
    failed: error => {
      const failing = writing
      writing = undefined
      if (failing === undefined) return false
      // A connection may break by itself. Where it does so again, it may be this view that takes too long.
      if (isError(error, 'log/connection-lost') && ++losses === 1) return false
      without.add(failing)
      return true
    },
  }
}

/** Writes one view. `undefined`: nothing was written, since it was left alone or since appends are refused. */
async function write(
  joined: Joined,
  open: OpenBatch,
  refused: Map<Position, BifoldError>,
  { runtime, limits }: Context,
): Promise<ViewInAppend | undefined> {
  const { view, folding, types } = joined
  const own = open.events.filter(({ type }) => types.has(type))
  if (own.length === 0) return undefined
  const inAppend = view.inAppend?.(open.client)
  const at = await inAppend?.hold(joined.isHeld === true ? Math.ceil(limits.appendHoldMs / 10) : limits.appendHoldMs)
  joined.isHeld = at === undefined
  if (inAppend === undefined || at === undefined || at.isReserved || at.position === joined.stuckAt) return undefined
  const page = await pageFrom(at, own, open, [...types], limits)
  if (page === undefined) return undefined
  const batch = await prepareBatch(page, at, {
    folding,
    view: { load: inAppend.load, keepsPast: view.keepsPast },
    aside: makeAside(view.projection, at.letters),
    // Others may have written rows since the last append: nothing is known of them. And nobody has a turn under the lock.
    cache: makeRowCache(Number.POSITIVE_INFINITY),
    turns: makeTurns({ runtime, turnEvents: Number.POSITIVE_INFINITY }),
  })
  const failures = batch.setAside?.failures ?? []
  if (batch.failure !== undefined || failures.some(({ event }) => event.position <= open.base.position)) {
    joined.stuckAt = at.position
    return undefined
  }
  for (const failure of failures) refused.set(failure.event.position, refusalOf(view.projection, failure))
  if (refused.size > 0) return undefined
  const parking = parkingOf(batch.setAside, { attempts: 1, now: runtime.now(), maxEvents: limits.maxParkedEvents })
  const { to, upserts, deletes, rollups, past } = batch
  const outcome = await inAppend.commit({
    ...{ shard, epoch: at.epoch, from: at, to, upserts, deletes, rollups },
    ...(past.length > 0 && { past }),
    ...(parking !== undefined && { parking }),
  })
  if (outcome === 'committed') return inAppend
  joined.stuckAt = at.position
  return undefined
}

/** The events that the view lacks, to the end of the batch; `undefined` where it is to be left to the projector. */
async function pageFrom(
  at: HeldCheckpoint,
  own: readonly RecordedEvent[],
  { base, head, read }: OpenBatch,
  types: readonly string[],
  limits: AppendLimits,
): Promise<Page | undefined> {
  if (isSame(at, base)) return { events: own, through: head, atHead: true }
  const gap = base.position - at.position
  if (gap <= 0 || gap > limits.appendGapPositions) return undefined
  try {
    const maxEvents = limits.appendGapEvents + own.length
    // With one more it shows whether there are more.
    const page = await read(at, types, maxEvents + 1)
    return page.through.position === head.position && page.events.length <= maxEvents ? page : undefined
  } catch (error) {
    // An event that cannot be read, or another history: whoever carries the view on says so.
    if (isUnreadable(error) || isError(error, 'log/rewound')) return undefined
    throw error
  }
}

function isSame(one: Anchor, other: Anchor): boolean {
  return one.position === other.position && one.fingerprint === other.fingerprint
}

/** Of what was thrown it says where, and not its message: that may quote what users stored. */
function refusalOf(projection: string, { event: { type }, error }: KeyFailure): BifoldError {
  return new BifoldError(
    'project/append-refused',
    { projection, type, failure: error.code, problem: problemOf(type, error) },
    { cause: error },
  )
}

function problemOf(type: string, error: BifoldError): string {
  if (isError(error, 'project/fold-failed')) return threw(`on.${type}`, error.data)
  if (isError(error, 'project/present-failed')) return threw(error.data.part, error.data)
  if (isError(error, 'project/invalid-row')) {
    return `${error.data.part ?? `on.${type}`} gave a row that does not fit: ${sayIssues(error.data.issues)}`
  }
  if (isError(error, 'project/invalid-rollup')) {
    return `the rollup '${error.data.rollup}' cannot take its row: ${error.data.problem}`
  }
  return 'it could not be folded'
}

function threw(part: string, { error, source }: { readonly error: string; readonly source?: string }): string {
  return `${part} threw ${error}${source === undefined ? '' : ` at ${source}`}`
}
