import type { AnyProjection } from '../define/index.ts'
import { followNewest } from './follow-newest.ts'
import { failureAmong, statusOf, storedFailureOf } from './generation-status.ts'
import { carriedOf, type SeenGenerations, servingOf, unfollowedWarning } from './plan-generations.ts'
import { referTo } from './refer-to.ts'
import { type ProjectionContext, type RunningProjection, runProjection } from './run-projection.ts'
import type { ProjectionStatus } from './status.ts'
import type { ViewStore } from './store.ts'
import type { GenerationWatch } from './watch-generations.ts'

/** All generations of one projection that this process carries on. */
export interface CarriedProjection {
  status(head: number): Promise<ProjectionStatus>
  /** The code of the error with which one of these shards of the generation that serves stands still; default any. */
  failureOf(shards?: readonly number[]): Promise<string | undefined>
  /** Finishes and commits what is under way. */
  stop(): Promise<void>
}

export interface CarryContext extends Omit<ProjectionContext, 'view' | 'shape' | 'referred' | 'served'> {
  readonly store: ViewStore
  /** All of the app. */
  readonly projections: readonly AnyProjection[]
  readonly watch: GenerationWatch
  /** Those of all views, by their names. */
  readonly watches: ReadonlyMap<string, GenerationWatch>
}

/**
 * Carries on the generations that are of this process's definition, each by itself: the one that serves, the one that is
 * being built beside it, and the one that served before.
 */
export async function carryGenerations(context: CarryContext): Promise<CarriedProjection> {
  const { store, watch, watches, leases } = context
  const { shape } = watch
  const running = new Map<number, RunningProjection & { readonly served: AbortController }>()
  let stopped = false

  /** What answers queries here; where nothing would do any more, what did. */
  const servingNow = (): number => servingOf(watch.seen(), shape) ?? Math.max(0, ...running.keys())

  const carry = async (seen: SeenGenerations): Promise<void> => {
    // Where all are gone, the database was restored to before they were made: what is running says so itself.
    if (seen.known.length === 0) return
    const wanted = carriedOf(seen, shape)
    for (const [generation, projection] of running) {
      if (wanted.includes(generation)) continue
      running.delete(generation)
      await projection.stop()
    }
    const hasServed = (number: number): boolean =>
      seen.all.some(({ generation, served }) => generation === number && served)
    for (const [generation, { served }] of running) if (hasServed(generation)) served.abort()
    for (const generation of wanted) {
      if (running.has(generation)) continue
      const view = await store.open(shape, generation)
      const referred = await referTo(view, shape.projection, context)
      if (stopped) return
      const served = new AbortController()
      if (hasServed(generation)) served.abort()
      const projection = runProjection({ ...context, shape, view, referred, served: served.signal })
      running.set(generation, { ...projection, served })
    }
  }
  const stopAll = async (): Promise<void> => {
    await Promise.all(Array.from(running.values(), projection => projection.stop()))
  }
  /** Who drops what nobody follows has not known of this process before it has beaten: what is gone by then is made anew. */
  const makeAnew = async (): Promise<void> => {
    await leases.beaten()
    if (stopped || (await watch.look()).known.length > 0) return
    await store.open(shape)
    await watch.look()
  }
  const first = watch.seen()
  try {
    await carry(first)
    // What fails then is left to the next start, as what is dropped by hand is.
    makeAnew().catch(() => undefined)
  } catch (error) {
    await stopAll()
    throw error
  }
  // What cannot be opened now is opened after the next look.
  const follow = followNewest(async (seen: SeenGenerations) => {
    if (!stopped) await carry(seen)
  })
  let carrying = Promise.resolve()
  const endWatching = watch.onSeen(seen => {
    carrying = follow(seen)
  })
  // What was seen while the first ones were opened.
  if (watch.seen() !== first) carrying = follow(watch.seen())
  return {
    status: async head => {
      await Promise.all(Array.from(running.values(), projection => projection.look()))
      const carried = (generation: number) => running.get(generation)?.status()
      if (running.has(servingNow())) {
        return statusOf(watch.seen(), { shape, serving: servingNow(), head, isPaused: false, watches, carried })
      }
      // Another process carries on what serves: the store knows how far it is.
      const seen = await watch.look().catch(() => watch.seen())
      const paused = await store.paused().catch(() => new Set<string>())
      return statusOf(seen, {
        shape,
        serving: servingNow(),
        head,
        isPaused: paused.has(shape.projection.name),
        watches,
        carried,
      })
    },
    failureOf: async shards => {
      const projection = running.get(servingNow())
      if (projection === undefined) {
        return (await storedFailureOf(watch, shards)) ?? unfollowedWarning(watch.seen(), shape)?.code
      }
      await projection.look()
      return failureAmong(projection.status().shards, shards)
    },
    stop: async () => {
      stopped = true
      endWatching()
      await carrying
      await stopAll()
    },
  }
}
