import type { App } from '../define/index.ts'
import { type EventLog, type Runtime, systemRuntime } from '../log/index.ts'
import { defaultProjectorLimits, type ProjectorLimits } from './limits.ts'
import { runProjection } from './run-projection.ts'
import type { ProjectionStatus } from './status.ts'
import type { ViewStore } from './store.ts'
import { viewShapeOf } from './view-shape.ts'

export interface ProjectorOptions extends Partial<ProjectorLimits> {
  readonly app: App
  readonly log: EventLog
  readonly store: ViewStore
  readonly runtime?: Runtime
}

/** All projections of an app, being carried on in this process. */
export interface Projector {
  status(): Promise<readonly ProjectionStatus[]>
  /** The code of the error with which one of these shards stands still; where none are named, any. */
  failureOf(projection: string, shards?: readonly number[]): string | undefined
  /** Finishes and commits what is under way. */
  stop(): Promise<void>
}

/**
 * Opens the views of `app` and carries them on, each at its own pace: a projection that is slow, far behind or failing
 * holds up no other one, and none of them holds up the log.
 */
export async function startProjector(options: ProjectorOptions): Promise<Projector> {
  const { app, log, store, runtime = systemRuntime } = options
  const limits: ProjectorLimits = { ...defaultProjectorLimits, ...options }
  const shapes = app.projections.map(viewShapeOf)
  const views = await Promise.all(shapes.map(shape => store.open(shape)))
  const cacheBytes = limits.cacheBytes / Math.max(1, shapes.length)
  const running = shapes.map((shape, n) => {
    const view = views[n] as (typeof views)[number]
    return runProjection({ shape, view, log, runtime, limits: { ...limits, cacheBytes } })
  })
  let lastHead = 0
  return {
    status: async () => {
      // Where the log cannot be asked, the last answer has to do: this is for people and for readiness.
      lastHead = (await log.head().catch(() => ({ position: lastHead }))).position
      return running.map(projection => {
        const status = projection.status()
        const head = Math.max(lastHead, status.position)
        return { ...status, head, behind: head - status.position }
      })
    },
    failureOf: (name, shards) => {
      const at = shapes.findIndex(({ projection }) => projection.name === name)
      const status = running[at]?.status()
      const asked = shards === undefined ? status?.shards : shards.map(shard => status?.shards[shard])
      return asked?.find(shard => shard?.failure !== undefined)?.failure?.code
    },
    stop: async () => {
      await Promise.all(running.map(projection => projection.stop()))
    },
  }
}
