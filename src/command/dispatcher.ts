import { type AnyAggregate, type App, BifoldError, check } from '../define/index.ts'
import { checkStream, defaultTenant, type EventLog, problemOfName, type Runtime } from '../log/index.ts'
import { carryOut, type Engine, type Job } from './carry-out.ts'
import type { Plan } from './decide.ts'
import type { Dispatch, DispatchByName, Dispatched, DispatchOptions } from './dispatch.ts'
import { payloadHash } from './payload-hash.ts'
import { createSnapshots, warnOnce } from './snapshots.ts'
import { createStates } from './states.ts'
import { createTurns } from './turns.ts'

export interface DispatcherOptions {
  readonly app: App
  readonly log: EventLog
  readonly runtime: Runtime
  /** Streams whose folded state is held. Default 10000. */
  readonly cacheStates?: number
  /** How often a command is decided before it ends in `command/conflict`. Default 10. */
  readonly attempts?: number
  /** Commands under way or waiting for their stream's turn; more are refused with `command/overloaded`. Default 10000. */
  readonly maxPending?: number
  /** Events that are read at once when a stream is loaded. Default 1000. */
  readonly pageEvents?: number
  /** Streams whose state may wait to be kept (`snapshot` of an aggregate); more are let go. Default 1000. */
  readonly maxPendingSnapshots?: number
  /** Hears of states that could not be kept. Default: a warning of the process, once for each aggregate. */
  readonly onSnapshotFailed?: (error: BifoldError<'command/snapshot-failed'>) => void
}

/** The command side of an app. */
export interface Dispatcher {
  readonly dispatch: Dispatch
  readonly dispatchByName: DispatchByName
  /** Takes no more commands, and waits for those that are under way. */
  close(): Promise<void>
}

/**
 * Makes the command side. Commands to one stream are carried out one after the other in a process; processes meet in the
 * log, which judges by version.
 */
export function createDispatcher(options: DispatcherOptions): Dispatcher {
  const { app, log, runtime, cacheStates = 10_000, attempts = 10, maxPending = 10_000, pageEvents = 1000 } = options
  const { maxPendingSnapshots = 1000, onSnapshotFailed = warnOnce() } = options
  const plans = plansOf(app)
  const states = createStates(cacheStates)
  const snapshots = createSnapshots({ log, runtime, maxPending: maxPendingSnapshots, onFailed: onSnapshotFailed })
  const engine: Engine = { log, runtime, states, snapshots, attempts, pageEvents }
  const turns = createTurns()
  const underWay = new Map<string, { readonly hash: string; readonly outcome: Promise<Dispatched> }>()
  const endReconnect = log.onReconnect(states.clear)
  let pending = 0
  let closed: Promise<void> | undefined
  let drained = (): void => undefined

  const inTurn = (job: Job): Promise<Dispatched> => turns.take(job.streamName, () => carryOut(engine, job))

  /** Duplicates of one command in this process share one outcome, whatever it is. */
  const once = async (job: Job, key: NonNullable<Job['key']>): Promise<Dispatched> => {
    const name = `${key.name}\u0000${job.stream.tenant}\u0000${key.id}`
    const first = underWay.get(name)
    if (first !== undefined) {
      if (first.hash !== key.hash) {
        throw new BifoldError('command/id-reused', { command: key.name, commandId: key.id })
      }
      return { ...(await first.outcome), repeated: true }
    }
    const outcome = inTurn(job)
    underWay.set(name, { hash: key.hash, outcome })
    try {
      return await outcome
    } finally {
      underWay.delete(name)
    }
  }

  const send: DispatchByName = async (category, streamId, command, input, options = {}) => {
    if (closed !== undefined) throw new BifoldError('log/closed', {})
    const plan = plans.get(category)?.get(command)
    if (plan === undefined) throw new BifoldError('command/unknown', { category, command })
    const job = jobOf(plan, streamId, input, options)
    if (pending >= maxPending) throw new BifoldError('command/overloaded', { pending, limit: maxPending })
    pending++
    try {
      return await (job.key === undefined ? inTurn(job) : once(job, job.key))
    } finally {
      pending--
      if (pending === 0) drained()
    }
  }

  return {
    dispatch: async (aggregate, streamId, command, input, options) => {
      if (!app.aggregates.includes(aggregate)) {
        throw new BifoldError('command/unknown', { category: aggregate.events.category as string, command })
      }
      return send(aggregate.events.category as string, streamId, command, input, options)
    },
    dispatchByName: send,
    close: () => {
      closed ??= new Promise<void>(resolve => {
        endReconnect()
        drained = resolve
        if (pending === 0) resolve()
      }).then(snapshots.close)
      return closed
    },
  }
}

function plansOf(app: App): ReadonlyMap<string, ReadonlyMap<string, Plan>> {
  return new Map(app.aggregates.map(aggregate => [aggregate.events.category as string, commandsOf(aggregate)]))
}

function commandsOf(aggregate: AnyAggregate): ReadonlyMap<string, Plan> {
  const category = aggregate.events.category as string
  return new Map(
    Object.entries(aggregate.commands).map(([command, definition]) => [
      command,
      { aggregate, category, command, name: `${category}/${command}`, definition },
    ]),
  )
}

/** @throws `log/invalid-stream` · `command/invalid-input` · `command/invalid-id` */
function jobOf(plan: Plan, streamId: string, input: unknown, options: DispatchOptions): Job {
  const { category, command, name, definition } = plan
  const { tenant = defaultTenant, commandId, expectedVersion, metadata } = options
  const stream = { tenant, category, id: streamId }
  checkStream(stream)
  const checked = check(definition.input, input)
  if (checked.issues !== undefined) {
    throw new BifoldError('command/invalid-input', { category, command, issues: checked.issues })
  }
  return {
    plan,
    stream,
    streamName: `${category}\u0000${tenant}\u0000${streamId}`,
    input: checked.value,
    metadata,
    expectedVersion,
    key:
      commandId === undefined
        ? undefined
        : { name, id: checkedId(commandId), hash: payloadHash(streamId, checked.value) },
  }
}

function checkedId(commandId: string): string {
  const rule = problemOfName(commandId)
  if (rule !== undefined) throw new BifoldError('command/invalid-id', { rule })
  return commandId
}
