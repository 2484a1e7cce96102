import { type BifoldError, isError } from '../define/index.ts'
import type { Runtime } from '../log/index.ts'
import { type BlockWatch, watchBlocks } from './block-watch.ts'
import { codedFailure, isOutage } from './describe-failure.ts'
import type { LeaseLimits } from './lease-limits.ts'
import {
  type CarriedView,
  generationId,
  type Holdings,
  type Lease,
  type ShardFailure,
  type ShardRef,
  shardId,
} from './leases.ts'
import { planLeases } from './plan-leases.ts'
import type { Failure } from './status.ts'
import type { Checkpoint, View, ViewStore } from './store.ts'
import type { TurnPart } from './turns.ts'

export interface LeaseContext {
  readonly store: Pick<ViewStore, 'beat' | 'leave' | 'onGenerations'>
  readonly runtime: Runtime
  readonly limits: LeaseLimits
  /** Hears of what kept this process from saying that it is alive: a fold, or a store that does not let it. */
  readonly onWarning?: (warning: BifoldError) => void
}

/** Keeps one process's shards: says that it is alive, and takes and hands over as all processes together have planned. */
export interface LeaseKeeper {
  readonly owner: string
  /**
   * This process can carry the shard on, until the seat is closed.
   * @param failure what stops the shard just now: others are told with each beat.
   */
  seat(view: View, shard: number, failure?: () => Failure | undefined): Seat
  /** Resolves once others know of all seats that there are now, or when it is stopped. */
  beaten(): Promise<void>
  /** Ends the membership, after all seats were closed. */
  stop(): Promise<void>
}

/** A shard that this process can carry on, and does when it is its turn. */
export interface Seat {
  /**
   * Takes the shard, as soon as it is this process's turn; takes it again where this process has it, under a new epoch.
   * What is held and is to be handed over is given up first. `undefined`: `stopping` was aborted.
   */
  take(stopping: AbortSignal): Promise<Hold | undefined>
  /** Is it known to be another process's turn, or nobody's? */
  standsBy(): boolean
  /** Who has the lease, as far as is known: this process's own name, another's, or nobody's. */
  holder(): string | undefined
  /** Tells that a part of this shard's projection has just had the process for itself, for so long. */
  ran(tookMs: number, part: TurnPart): void
  /** Why nobody here can be told whose turn it is, where that lasts. */
  failure(): Failure | undefined
  /** Something else stops the shard than others have been told. */
  failed(): void
  /** What this shard's folds were found to have blocked. */
  warning(): BifoldError | undefined
  /** Gives the shard up where it is held, and wants it no more. */
  close(): Promise<void>
}

/** A shard as it was taken. */
export interface Hold {
  readonly checkpoint: Checkpoint
  /** Aborted when the shard is to be handed over, or another process has it. */
  readonly letGo: AbortSignal
}

interface Place {
  readonly view: View
  readonly ref: ShardRef
  held: { readonly epoch: number; readonly letGo: AbortController } | undefined
  isWanted: boolean
  holder: string | undefined
  /** Was it part of a plan yet? */
  isSeen: boolean
  /** How often it was taken or given up here; odd while that is under way. */
  changes: number
  /** Has a beat passed it over while that was under way? */
  isMissed: boolean
  warning: BifoldError | undefined
  /** What stops it, and what of that others were told. */
  readonly failure: () => Failure | undefined
  told: string | undefined
  wake(): void
}

/** Beats follow each other no faster than this, however many hints there are. */
const minPauseMs = 20
const beatsPerLease = 5
/** Stands for the name of a projection in an error that is about all of them. */
const everything = '*'

export function keepLeases({ store, runtime, limits, onWarning }: LeaseContext): LeaseKeeper {
  const { leaseMs, maxShards } = limits
  const owner = newOwner(runtime)
  const places = new Map<string, Place>()
  const blocks: BlockWatch = watchBlocks(runtime, leaseMs)
  let beating: Promise<void> | undefined
  let isDue = false
  let isHurried = false
  let hasBeaten = false
  let isStopped = false
  /** Why beats fail, but for outages; and how often they have in a row. */
  let failure: Failure | undefined
  let cancelNext = (): void => undefined
  /** Those who wait for the next beat to be answered. */
  let waiting: (() => void)[] = []

  function next(delayMs: number): void {
    cancelNext()
    if (isStopped) return
    blocks.expect(delayMs)
    cancelNext = runtime.after(delayMs, beat)
  }

  /** Looks again soon: something has changed. */
  function hurry(): void {
    if (beating !== undefined) isDue = true
    // Hints that come faster than that must not put it off again and again.
    else if (!isHurried) next(hasBeaten ? minPauseMs : 0)
    isHurried = true
  }

  function beat(): void {
    if (beating !== undefined || isStopped) return
    isDue = false
    isHurried = false
    hasBeaten = true
    warn()
    beating = renew().finally(() => {
      beating = undefined
      const jitter = 0.75 + runtime.random() / 2
      isHurried = isDue
      next(isDue ? minPauseMs : (leaseMs / beatsPerLease) * jitter)
    })
  }

  async function renew(): Promise<void> {
    const changes = new Map(Array.from(places, ([id, place]) => [id, place.changes]))
    const views = new Map(Array.from(places.values(), ({ view }) => [generationId(view), carried(view)]))
    const bound = Number.isFinite(maxShards) ? { maxShards } : {}
    const failures = failuresOf(places.values())
    const told = waiting
    waiting = []
    try {
      const holdings = await store.beat({ owner, leaseMs, ...bound, views: [...views.values()], failures })
      blocks.renewed()
      failure = undefined
      for (const tell of told) tell()
      carryOut(holdings, place => changes.get(shardId(place.ref)) === place.changes && place.changes % 2 === 0)
    } catch (error) {
      waiting.push(...told)
      // The store is asked again. What is held meanwhile is held under an epoch, not by this.
      if (!isOutage(error)) refused(error)
    }
  }

  /** A privilege is missing, a table was changed by hand: that does not pass by itself, and somebody has to know. */
  function refused(error: unknown): void {
    const coded = codedFailure(everything, error)
    // One that is busy lets it soon.
    if (failure?.code !== coded.code && !isError(coded, 'project/store-busy')) onWarning?.(coded)
    failure = {
      code: coded.code,
      message: coded.message,
      attempts: (failure?.attempts ?? 0) + 1,
      retryInMs: leaseMs / beatsPerLease,
    }
  }

  /** @param isAsSeen has nothing happened to the place since the store was asked? */
  function carryOut(holdings: Holdings, isAsSeen: (place: Place) => boolean): void {
    const owners = new Map(holdings.leases.map((lease: Lease) => [shardId(lease), lease.owner]))
    const plan = planLeases(owner, holdings)
    const take = new Set(plan.take.map(shardId))
    const release = new Set(plan.release.map(shardId))
    for (const [id, place] of places) {
      if (!isAsSeen(place)) {
        // What takes long, as behind a lock, is looked at when it has ended, and not again and again until then.
        if (place.changes % 2 === 1) place.isMissed = true
        else isDue = true
        continue
      }
      place.isSeen = true
      place.holder = owners.get(id)
      const isOwn = place.holder === owner
      if (place.held !== undefined && (!isOwn || release.has(id))) {
        place.held.letGo.abort()
        if (!isOwn) place.held = undefined
      }
      place.isWanted = take.has(id) || (isOwn && place.held === undefined)
      if (place.isWanted) place.wake()
    }
  }

  function warn(): void {
    const found = blocks.look()
    if (found === undefined) return
    const place = found.by === undefined ? undefined : places.get(found.by)
    if (place !== undefined) place.warning = found.warning
    onWarning?.(found.warning)
  }

  /** Takes or gives up: what was seen before it has ended says nothing of the place. */
  async function change<T>(place: Place, run: () => Promise<T>): Promise<T> {
    place.changes++
    try {
      return await run()
    } finally {
      place.changes++
      if (place.isMissed) hurry()
      place.isMissed = false
    }
  }

  async function take(place: Place): Promise<Hold | undefined> {
    const checkpoint = await change(place, () => place.view.take(place.ref.shard, owner, leaseMs))
    place.held?.letGo.abort()
    if (checkpoint === undefined) {
      place.held = undefined
      place.isWanted = false
      hurry()
      return undefined
    }
    const letGo = new AbortController()
    place.held = { epoch: checkpoint.epoch, letGo }
    place.holder = owner
    return { checkpoint, letGo: letGo.signal }
  }

  async function release(place: Place): Promise<void> {
    const { held } = place
    place.held = undefined
    place.isWanted = false
    if (held === undefined) return
    place.holder = undefined
    // What cannot be given up runs out by itself, and is taken again if it is still this process's turn.
    await change(place, () => place.view.release(place.ref.shard, owner, held.epoch)).catch(() => undefined)
  }

  const turnOf = (place: Place, stopping: AbortSignal): Promise<void> =>
    new Promise(resolve => {
      const end = (): void => {
        stopping.removeEventListener('abort', end)
        place.wake = () => undefined
        resolve()
      }
      place.wake = end
      stopping.addEventListener('abort', end)
      if (stopping.aborted || place.isWanted) end()
    })

  const unhear = store.onGenerations(hurry)
  return {
    owner,
    seat: (view, shard, failureOf = () => undefined) => {
      const ref: ShardRef = { projection: view.projection, generation: view.generation, shard }
      const place: Place = {
        ...{
          view,
          ref,
          held: undefined,
          isWanted: false,
          holder: undefined,
          isSeen: false,
          changes: 0,
          isMissed: false,
          warning: undefined,
          failure: failureOf,
          told: undefined,
        },
        wake: () => undefined,
      }
      places.set(shardId(ref), place)
      hurry()
      return {
        take: async stopping => {
          for (;;) {
            if (place.held?.letGo.signal.aborted) await release(place)
            if (stopping.aborted) return undefined
            if (place.held !== undefined || place.isWanted) {
              const hold = await take(place)
              if (hold !== undefined) return hold
            }
            await turnOf(place, stopping)
          }
        },
        standsBy: () => place.isSeen && place.held === undefined && !place.isWanted,
        holder: () => place.holder,
        ran: (tookMs, part) => blocks.ran(ref, tookMs, part),
        failure: () => failure,
        failed: () => {
          if (failureOf()?.code !== place.told) hurry()
        },
        warning: () => place.warning,
        close: async () => {
          if (places.get(shardId(ref)) === place) places.delete(shardId(ref))
          await release(place)
        },
      }
    },
    beaten: () =>
      new Promise(resolve => {
        waiting.push(resolve)
      }),
    stop: async () => {
      isStopped = true
      cancelNext()
      unhear()
      // A beat that came after it would make this process a member again.
      await beating
      for (const tell of waiting) tell()
      await store.leave(owner).catch(() => undefined)
    },
  }
}

/** A name that no other process has, dead or alive. */
function newOwner({ random }: Pick<Runtime, 'random'>): string {
  const part = (): string =>
    Math.floor(random() * 2 ** 32)
      .toString(16)
      .padStart(8, '0')
  return part() + part()
}

/** What is told now of shards that are held. */
function failuresOf(places: Iterable<Place>): readonly ShardFailure[] {
  const failures: ShardFailure[] = []
  for (const place of places) {
    const failure = place.held === undefined ? undefined : place.failure()
    place.told = failure?.code
    if (failure !== undefined) failures.push({ ...place.ref, failure })
  }
  return failures
}

function carried({ projection, generation, shards }: View): CarriedView {
  return { projection, generation, shards }
}
