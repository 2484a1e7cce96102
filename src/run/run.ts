import { createDispatcher, type Dispatcher, type DispatcherOptions } from '../command/index.ts'
import { type App, BifoldError } from '../define/index.ts'
import { createLog, type EventLog, type LogLimits, type Runtime, systemRuntime } from '../log/index.ts'
import {
  type Backend,
  lowestOf,
  type ProjectionStatus,
  type ProjectorLimits,
  startProjector,
  viewShapeOf,
} from '../project/index.ts'
import { type Asker, type AskerOptions, createAsker, type ReadableView } from '../query/index.ts'
import { closeInTurn } from './close.ts'
import { drain } from './drain.ts'
import type { System } from './system.ts'

export interface RunOptions {
  /** What the system runs on: `postgres({ url })`, `embedded({ directory })`, `inMemory()`. The system closes it. */
  readonly on: Backend | Promise<Backend>
  /** What this process does. Default: all of it. */
  readonly roles?: {
    readonly commands?: boolean
    readonly projections?: boolean
    readonly queries?: boolean
  }
  /** Default: the machine's clock, chance and scheduling. */
  readonly runtime?: Runtime
  readonly log?: Partial<LogLimits>
  readonly commands?: Omit<DispatcherOptions, 'app' | 'log' | 'runtime'>
  readonly projections?: Partial<ProjectorLimits>
  readonly queries?: Pick<AskerOptions, 'maxPending' | 'gatherKeys' | 'gatherInFlight' | 'pollMs'>
}

/**
 * Runs an app: opens the log and the views, carries the projections on, and takes commands and queries.
 *
 * @param app what to run.
 * @param options.on what to run it on.
 * @throws whatever keeps it from starting; then everything is closed again.
 */
export async function run(app: App, options: RunOptions): Promise<System> {
  const { runtime = systemRuntime, roles = {} } = options
  const { commands = true, projections = true, queries = true } = roles
  const backend = await options.on
  // What is open, in the order in which it is closed: the last to be opened first.
  const open: (() => Promise<void>)[] = [backend.close]
  try {
    open.unshift(backend.views.close)
    const log = await createLog(backend.log, { ...options.log, eventTypes: app.eventTypes, runtime })
    open.unshift(log.close)
    const projector = projections
      ? await startProjector({ ...options.projections, app, log, store: backend.views, runtime })
      : undefined
    if (projector !== undefined) open.unshift(projector.stop)
    const views = queries ? await openViews(app, backend) : new Map<string, ReadableView>()
    const asker = queries
      ? createAsker({
          ...options.queries,
          app,
          views,
          store: backend.views,
          log,
          runtime,
          failureOf: (projection, shards) => projector?.failureOf(projection, shards),
        })
      : noAsker
    const dispatcher = commands ? createDispatcher({ ...options.commands, app, log, runtime }) : noDispatcher
    open.unshift(async () => {
      await Promise.all([dispatcher.close(), asker.close()])
    })
    let closing: Promise<void> | undefined
    return {
      app,
      log,
      views: backend.views,
      dispatch: dispatcher.dispatch,
      dispatchByName: dispatcher.dispatchByName,
      query: asker.query,
      queryText: asker.queryText,
      status: () => projector?.status() ?? statusOf(views, log),
      drain: async (drainOptions = {}) => {
        if (projector === undefined) throw new BifoldError('run/no-role', { role: 'projections' })
        const { status } = projector
        return drain({ log, runtime, status, isClosing: () => closing !== undefined }, drainOptions)
      },
      close: () => {
        closing ??= closeInTurn(open)
        return closing
      },
    }
  } catch (error) {
    await closeInTurn(open).catch(() => undefined)
    throw error
  }
}

async function openViews(app: App, { views }: Backend): Promise<ReadonlyMap<string, ReadableView>> {
  const opened = await Promise.all(app.projections.map(projection => views.open(viewShapeOf(projection))))
  return new Map(opened.map(view => [view.projection, view]))
}

/** Where the views stand, as a process sees it that does not carry them on. */
async function statusOf(views: ReadonlyMap<string, ReadableView>, log: EventLog): Promise<readonly ProjectionStatus[]> {
  const [head, ...checkpoints] = await Promise.all([
    log.head(),
    ...Array.from(views.values(), view => view.checkpoints()),
  ])
  const standing = (position: number) =>
    ({ position, state: position < head.position ? 'catching-up' : 'live' }) as const
  return Array.from(views.values(), ({ projection, generation }, at) => {
    const shards = (checkpoints[at] ?? []).map(({ position }, shard) => ({ shard, ...standing(position) }))
    const { position } = lowestOf(checkpoints[at] ?? [])
    const reached = Math.max(head.position, position)
    return { projection, generation, ...standing(position), head: reached, behind: reached - position, shards }
  })
}

const refuse = (role: string) => () => Promise.reject(new BifoldError('run/no-role', { role }))

const noDispatcher: Dispatcher = {
  dispatch: refuse('commands'),
  dispatchByName: refuse('commands'),
  close: () => Promise.resolve(),
}

const noAsker: Asker = {
  query: refuse('queries'),
  queryText: refuse('queries'),
  close: () => Promise.resolve(),
}
