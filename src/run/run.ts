import { createDispatcher, type Dispatcher, type DispatcherOptions } from '../command/index.ts'
import { type App, BifoldError } from '../define/index.ts'
import { createLog, type EventLog, type LogLimits, type Runtime, systemRuntime } from '../log/index.ts'
import {
  type Backend,
  type GenerationWatch,
  type ProjectionStatus,
  type ProjectorSettings,
  pausedFailure,
  servingOf,
  startProjector,
  statusOf,
  storedFailureOf,
  type ViewStore,
  warningOf,
  watchAll,
} from '../project/index.ts'
import { type Asker, type AskerOptions, createAsker, serveViews } from '../query/index.ts'
import { checkOptions } from './check-options.ts'
import { closeInTurn } from './close.ts'
import { deadLettersOf } from './dead-letters.ts'
import { drain } from './drain.ts'
import { mustBeOpen } from './of-app.ts'
import { operationsOn } from './operations.ts'
import type { System } from './system.ts'
import { committedWithAppends, withAppendOn } from './with-append.ts'

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
  readonly projections?: ProjectorSettings
  readonly queries?: Pick<AskerOptions, 'maxPending' | 'gatherKeys' | 'gatherInFlight' | 'pollMs'>
  /** Is told of what is not as it should be and stops nothing. Default: a warning of this Node.js process, with its code. */
  readonly onWarning?: (warning: BifoldError) => void
}

/**
 * Runs an app: opens the log and the views, carries the projections on, and takes commands and queries.
 *
 * @param app what to run.
 * @param options.on what to run it on.
 * @throws `setup/invalid-option`, and whatever else keeps it from starting; then everything is closed again.
 */
export async function run(app: App, options: RunOptions): Promise<System> {
  const { runtime = systemRuntime, roles = {}, onWarning = warnProcess } = options
  const { commands = true, projections = true, queries = true } = roles
  const backend = await options.on
  // What is open, in the order in which it is closed: the last to be opened first.
  const open: (() => Promise<void>)[] = [backend.close]
  try {
    checkOptions(options)
    open.unshift(backend.views.close)
    const withAppend = withAppendOn(app, backend, runtime, options.projections)
    const log = await createLog(backend.log, {
      ...options.log,
      ...{ eventTypes: app.eventTypes, runtime },
      ...(withAppend !== undefined && { participant: withAppend.participant }),
    })
    open.unshift(log.close)
    const isDeaf = isDeafOn(backend)
    // A process that does no more than append has to know the views that its appends write to.
    const watched = projections || queries ? app.projections : committedWithAppends(app)
    const watches = await watchAll(app, watched, backend.views, runtime)
    open.unshift(async () => {
      for (const watch of watches.values()) watch.end()
    })
    for (const { name } of committedWithAppends(app)) await withAppend?.follow(watches.get(name) as GenerationWatch)
    const warnings = Array.from(watches.values(), watch => warningOf(watch.seen(), watch.shape))
    for (const warning of warnings) if (warning !== undefined) onWarning(warning)
    if (await isDeaf) onWarning(new BifoldError('setup/notifications-lost', {}))
    const projector = projections
      ? await startProjector({ ...options.projections, app, log, store: backend.views, runtime, watches, onWarning })
      : undefined
    if (projector !== undefined) open.unshift(projector.stop)
    const served = queries ? await serveViews(watches, backend.views) : undefined
    if (served !== undefined) open.unshift(served.close)
    const asker =
      served === undefined
        ? noAsker
        : createAsker({
            ...options.queries,
            ...{
              app,
              log,
              runtime,
              views: served.views,
              onServing: served.onServing,
              follow: served.follow,
              store: backend.views,
            },
            failureOf: async (projection, shards) =>
              (await (projector?.failureOf(projection, shards) ?? storedFailure(watches, projection, shards))) ??
              pausedIn(backend, projection),
          })
    const dispatcher = commands ? createDispatcher({ ...options.commands, app, log, runtime }) : noDispatcher
    open.unshift(async () => {
      await Promise.all([dispatcher.close(), asker.close()])
    })
    let closing: Promise<void> | undefined
    const isClosing = (): boolean => closing !== undefined
    const gate = { app, isClosed: isClosing }
    return {
      app,
      log,
      views: backend.views,
      dispatch: dispatcher.dispatch,
      dispatchByName: dispatcher.dispatchByName,
      query: asker.query,
      queryText: asker.queryText,
      ...(projector !== undefined && { owner: projector.owner }),
      status: async () => {
        mustBeOpen(gate)
        return projector?.status() ?? storedStatus(watches, log, backend.views)
      },
      drain: async (drainOptions = {}) => {
        mustBeOpen(gate)
        if (projector === undefined) throw new BifoldError('run/no-role', { role: 'projections' })
        const { status } = projector
        return drain({ log, runtime, status, isClosing }, drainOptions)
      },
      ...operationsOn(gate, backend.views, served),
      deadLetters: deadLettersOf({ ...gate, store: backend.views, log, runtime }),
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

/** Is it known that this process is not woken by others? What keeps it from being found out is found by whoever needs it. */
async function isDeafOn({ hears }: Backend): Promise<boolean> {
  return (await hears?.().catch(() => undefined)) === false
}

/** Where the views stand, as a process sees it that does not carry them on. */
async function storedStatus(
  watches: ReadonlyMap<string, GenerationWatch>,
  log: EventLog,
  store: ViewStore,
): Promise<readonly ProjectionStatus[]> {
  const [{ position }, paused] = await Promise.all([log.head(), store.paused()])
  return Promise.all(
    Array.from(watches.values(), async watch => {
      const [{ shape }, seen] = [watch, await watch.look()]
      const isPaused = paused.has(shape.projection.name)
      return statusOf(seen, { shape, serving: servingOf(seen, shape) ?? 0, head: position, isPaused, watches })
    }),
  )
}

function warnProcess(warning: BifoldError): void {
  process.emitWarning(warning.message, { type: 'BifoldWarning', code: warning.code })
}

/** Why a view stands still that this process does not carry on: what the store has of it. */
async function storedFailure(
  watches: ReadonlyMap<string, GenerationWatch>,
  projection: string,
  shards: readonly number[] | undefined,
): Promise<string | undefined> {
  const watch = watches.get(projection)
  return watch && storedFailureOf(watch, shards)
}

/** Whether a view stands still because somebody wants it. */
async function pausedIn({ views }: Backend, projection: string): Promise<string | undefined> {
  const paused = await views.paused().catch(() => undefined)
  return paused?.has(projection) ? pausedFailure(projection).code : undefined
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
