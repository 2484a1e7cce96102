import type { BifoldError } from '../define/index.ts'
import type { Runtime } from '../log/index.ts'
import { followNewest } from './follow-newest.ts'
import type { RebuildLimits } from './limits.ts'
import {
  abandonedOf,
  candidateOf,
  isNear,
  outlivedOf,
  type SeenGenerations,
  standInOf,
  unfollowedWarning,
} from './plan-generations.ts'
import { needlessBuildOf, needsRebuild, supersededWarning } from './plan-references.ts'
import type { ViewStore } from './store.ts'
import { type GenerationWatch, readReferred, seenReferred } from './watch-generations.ts'

export interface TendOptions {
  readonly store: ViewStore
  readonly watch: GenerationWatch
  /** Those of all views, by their names: among them those to which rows of this one refer. */
  readonly watches: ReadonlyMap<string, GenerationWatch>
  readonly runtime: Runtime
  readonly limits: RebuildLimits
  /** Hears of what is left to be done by hand. */
  readonly onWarning?: (warning: BifoldError) => void
}

/** Whoever makes a generation says only a moment later that it carries it on: so long none is taken for given up. */
const minStartMs = 5000

/**
 * Lets a generation serve when it has caught up, or where the one that serves is left alone, has one built anew where
 * those that its rows are made with were, and drops those that nobody needs any more. Every process of the definition
 * tries; the store lets it happen once.
 *
 * @returns stops it, and waits for what is under way.
 */
export function tendGenerations(options: TendOptions): () => Promise<void> {
  const { store, watch, watches, runtime, limits, onWarning } = options
  const { shape } = watch
  const { name, refs } = shape.projection
  /** What was told last, of each kind. */
  const told = new Map<string, string>()
  /** Since when each generation that was outlived or given up has been followed by nobody. */
  const alone = new Map<number, number>()
  let tending = Promise.resolve()

  /** The store holds the one that serves while it waits for the other: most of the time it is to be left alone. */
  const restPerTry = 4
  let trySwapAt = Number.NEGATIVE_INFINITY
  const swap = async (seen: SeenGenerations): Promise<void> => {
    const candidate = candidateOf(seen)
    const beganAt = runtime.elapsed()
    if (limits.swap === 'manual' || candidate === undefined || beganAt < trySwapAt) return
    if (!isNear(seen, candidate)) return
    const { kind } = await store.activate(name, candidate.generation, { withParked: false, byHand: false })
    if (kind === 'behind') trySwapAt = runtime.elapsed() + restPerTry * (runtime.elapsed() - beganAt)
  }
  /** Since when nobody has followed the generation that serves. */
  let leftSinceMs: number | undefined
  const standIn = async (seen: SeenGenerations): Promise<void> => {
    const next = standInOf(seen)
    leftSinceMs = next && (leftSinceMs ?? runtime.elapsed())
    if (next === undefined) return tell('unfollowed', undefined)
    // While processes of its release are started again, nothing is swapped back and forth.
    if (runtime.elapsed() - (leftSinceMs ?? 0) < limits.returnAfterMs) return
    if (limits.swap === 'manual') return tell('unfollowed', unfollowedWarning(seen, shape))
    // The other one stands still, whatever it has parked.
    await store.activate(name, next.generation, { byHand: false })
  }
  const tell = (kind: string, warning: BifoldError | undefined): void => {
    const said = warning?.message ?? ''
    if (warning !== undefined && told.get(kind) !== said) onWarning?.(warning)
    told.set(kind, said)
  }
  const followReferred = async (seen: SeenGenerations): Promise<void> => {
    const referred = seenReferred(shape.projection, watches)
    if (limits.swap === 'manual') return tell('superseded', supersededWarning(shape.projection, seen, referred))
    if (needlessBuildOf(seen, referred) === undefined && !needsRebuild(seen, referred)) return
    // Each view is looked at by itself: another process may have built this one with what was not seen here to serve yet.
    const now = await readReferred(store, referred)
    const needless = needlessBuildOf(seen, now)
    if (needless !== undefined) await store.drop(name, needless)
    // Where another process has dropped it and went no further, this one goes on.
    if (needless !== undefined || needsRebuild(seen, now)) {
      await store.rebuild(shape, seen.all.at(-1)?.generation)
    }
  }
  const retire = async (seen: SeenGenerations): Promise<void> => {
    const abandoned = abandonedOf(seen)
    const left = [...outlivedOf(seen).filter(({ followed }) => !followed), ...abandoned]
    for (const generation of alone.keys()) {
      if (!left.some(one => one.generation === generation)) alone.delete(generation)
    }
    for (const one of left) {
      const { generation } = one
      const afterMs = abandoned.includes(one) ? Math.max(limits.retireAfterMs, minStartMs) : limits.retireAfterMs
      const sinceMs = alone.get(generation) ?? runtime.elapsed()
      alone.set(generation, sinceMs)
      if (runtime.elapsed() - sinceMs < afterMs) continue
      // Where somebody's report keeps it from being dropped, that is tried again after as long, and not with each look.
      alone.delete(generation)
      await store.drop(name, generation)
    }
  }
  // What fails is tried again after the next look.
  const tend = followNewest(async (seen: SeenGenerations) => {
    await swap(seen)
    await standIn(seen)
    await followReferred(seen)
    await retire(seen)
  })
  const saw = (seen: SeenGenerations): void => {
    tending = tend(seen)
  }
  const referred = new Set(Object.values(refs).flatMap(({ to }) => watches.get(to.name) ?? []))
  const ends = [watch.onSeen(saw), ...Array.from(referred, other => other.onSeen(() => saw(watch.seen())))]
  return async () => {
    for (const end of ends) end()
    await tending
  }
}
