import type { App, BifoldError } from '../define/index.ts'
import { type EventLog, type Runtime, systemRuntime } from '../log/index.ts'
import { type CarriedProjection, carryGenerations } from './carry-generations.ts'
import { keepLeases } from './lease-keeper.ts'
import { defaultProjectorLimits, defaultRebuildLimits, type ProjectorLimits, type RebuildLimits } from './limits.ts'
import { makeLoadBudget } from './load-budget.ts'
import type { ProjectionStatus } from './status.ts'
import type { ViewStore } from './store.ts'
import { tendGenerations } from './tend-generations.ts'
import { oneByOne } from './turns.ts'
import { type GenerationWatch, watchAll } from './watch-generations.ts'

export interface ProjectorOptions extends ProjectorSettings {
  readonly app: App
  readonly log: EventLog
  readonly store: ViewStore
  readonly runtime?: Runtime
  /** The generations of each projection, by its name, where somebody watches them already. */
  readonly watches?: ReadonlyMap<string, GenerationWatch>
  /** Is told of what is not as it should be and stops nothing. */
  readonly onWarning?: (warning: BifoldError) => void
}

/** Bounds of a projector, each with a default. */
export interface ProjectorSettings extends Partial<Omit<ProjectorLimits, 'rebuild'>> {
  readonly rebuild?: Partial<RebuildLimits>
}

/** All projections of an app, being carried on in this process. */
export interface Projector {
  /** What this process is called among all that carry views on. */
  readonly owner: string
  status(): Promise<readonly ProjectionStatus[]>
  /** The code of the error with which one of these shards stands still; where none are named, any. */
  failureOf(projection: string, shards?: readonly number[]): Promise<string | undefined>
  /** Finishes and commits what is under way. */
  stop(): Promise<void>
}

/**
 * Opens the views of `app` and carries them on, each at its own pace: a projection that is slow, far behind or failing
 * holds up no other one, and none of them holds up the log.
 */
export async function startProjector(options: ProjectorOptions): Promise<Projector> {
  const { app, log, store, runtime = systemRuntime } = options
  const { projections } = app
  const rebuild: RebuildLimits = { ...defaultRebuildLimits, ...options.rebuild }
  const limits: ProjectorLimits = { ...defaultProjectorLimits, ...options, rebuild }
  const watches = options.watches ?? (await watchAll(app, projections, store, runtime))
  const { onWarning } = options
  const told = onWarning !== undefined && { onWarning }
  const leases = keepLeases({ store, runtime, limits, ...told })
  const cacheBytes = limits.cacheBytes / Math.max(1, watches.size)
  const budget = makeLoadBudget(rebuild, runtime)
  const carrying: Runtime = { ...runtime, turn: oneByOne(runtime) }
  const running = new Map<string, CarriedProjection>()
  const ends: (() => Promise<void>)[] = []
  const stop = async (): Promise<void> => {
    if (options.watches === undefined) for (const watch of watches.values()) watch.end()
    await Promise.all([...ends.map(end => end()), ...Array.from(running.values(), projection => projection.stop())])
    await leases.stop()
  }
  try {
    for (const [name, watch] of watches) {
      const context = {
        store,
        watch,
        watches,
        log,
        runtime: carrying,
        budget,
        leases,
        projections,
        limits: { ...limits, cacheBytes },
      }
      running.set(name, await carryGenerations(context))
      ends.push(tendGenerations({ store, watch, watches, runtime, limits: rebuild, ...told }))
    }
  } catch (error) {
    // Else what has begun would go on as a process of the fleet, and be given shards that it cannot carry on.
    await stop()
    throw error
  }
  let lastHead = 0
  return {
    owner: leases.owner,
    status: async () => {
      // Where the log cannot be asked, the last answer has to do: this is for people and for readiness.
      lastHead = (await log.head().catch(() => ({ position: lastHead }))).position
      return Promise.all(Array.from(running.values(), projection => projection.status(lastHead)))
    },
    failureOf: async (name, shards) => running.get(name)?.failureOf(shards),
    stop,
  }
}
