import { BifoldError, type DecisionContext, type Metadata, type NewEvent, type Version } from '../define/index.ts'
import { type Anchor, type CommandKey, type EventLog, type Runtime, type StreamKey, tokenOf } from '../log/index.ts'
import { type Decision, decide, type Plan } from './decide.ts'
import type { Dispatched } from './dispatch.ts'
import { type Folded, fold, initialOf, restored } from './fold.ts'
import { isDue, type Snapshots, snapshotVersionOf } from './snapshots.ts'
import type { States } from './states.ts'

/** What it takes to carry out a command. */
export interface Engine {
  readonly log: EventLog
  readonly runtime: Runtime
  readonly states: States
  readonly snapshots: Snapshots
  readonly attempts: number
  readonly pageEvents: number
}

/** One command, validated. */
export interface Job {
  readonly plan: Plan
  readonly stream: StreamKey
  /** Names the stream in the process. */
  readonly streamName: string
  readonly input: unknown
  readonly metadata: Metadata | undefined
  readonly expectedVersion: Version | undefined
  /** Given where the caller gave an id. */
  readonly key: CommandKey | undefined
}

/**
 * Decides on the newest state that is known, appends, and begins again on what has happened meanwhile.
 *
 * Whatever would be answered without an append (a refusal, or nothing to do) may have come from a state that is out of
 * date, or be the second coming of a command that was accepted: it is answered only after a look at the stream's head
 * and, where there is an id, at what the log knows of it. That look comes after the state was read, never before: else
 * the first coming could slip in between.
 */
export async function carryOut(engine: Engine, job: Job): Promise<Dispatched> {
  const { log, runtime, states, attempts } = engine
  const { plan, stream, streamName, input, key, expectedVersion } = job
  const takenMs = runtime.now()
  let epoch = states.epoch()
  let folded = states.get(streamName)
  let fresh = false
  if (folded === undefined) {
    folded = initialOf(plan.aggregate)
    // What begins a stream most often finds none: it is decided as if so, and the append judges. Saves a round trip.
    if (plan.definition.stream !== 'new') {
      folded = await readOn(engine, job, folded, epoch)
      fresh = true
    }
  }
  for (let conflicts = 0; ; ) {
    const decision = decide(plan, folded.state, input, contextOf(job, folded.version, takenMs), expectedVersion)
    const events = eventsToAppend(decision, key)
    let newest: Version
    if (events === undefined) {
      const [known, version] = await Promise.all([recall(log, job), fresh ? folded.version : log.versionOf(stream)])
      if (known !== undefined) return known
      if (version === folded.version) {
        if (decision.kind === 'refused') throw decision.error
        return answer(log, nothing, version, folded.head, false)
      }
      newest = version
    } else {
      const sentMs = runtime.elapsed()
      const outcome = await log.append({
        stream,
        expected: folded.version,
        events,
        ...(job.metadata === undefined ? {} : { metadata: job.metadata }),
        ...(key === undefined ? {} : { command: key }),
      })
      if (outcome.kind === 'appended') {
        const before = folded
        if (outcome.version > 0) {
          let after: Folded | undefined
          const foldLater = (): Folded => {
            after ??= fold(plan.aggregate, before, outcome.events)
            return after
          }
          states.keep(streamName, foldLater, epoch)
          if (isDue(plan.aggregate, before.version, outcome.version)) {
            engine.snapshots.offer(stream, streamName, plan.aggregate, foldLater)
          }
        }
        return answer(log, outcome, outcome.version, outcome.head, false)
      }
      if (outcome.kind === 'repeated') return repeat(log, job, outcome.outcome)
      if (++conflicts >= attempts) {
        const known = await recall(log, job)
        if (known !== undefined) return known
        throw new BifoldError('command/conflict', { category: plan.category, streamId: stream.id, attempts })
      }
      await pause(runtime, conflicts, runtime.elapsed() - sentMs)
      newest = outcome.version
    }
    // A log that holds less of this stream than was folded, or that was lost from sight, may be another history.
    if (newest < folded.version || epoch !== states.epoch()) folded = initialOf(plan.aggregate)
    epoch = states.epoch()
    folded = await readOn(engine, job, folded, epoch)
    fresh = true
  }
}

function contextOf({ stream }: Job, version: Version, takenMs: number): DecisionContext {
  return {
    tenant: stream.tenant,
    streamId: stream.id,
    version,
    // Made when a decision looks at it, which few do.
    get now() {
      return new Date(takenMs).toISOString()
    },
  }
}

/** `undefined`: nothing is to be appended. A command with an id that changes nothing is recorded, by an empty append. */
function eventsToAppend(decision: Decision, key: CommandKey | undefined): readonly NewEvent[] | undefined {
  if (decision.kind === 'refused') return undefined
  return decision.events.length === 0 && key === undefined ? undefined : decision.events
}

/** What the log knows of the command's id, as an answer. */
async function recall(log: EventLog, job: Job): Promise<Dispatched | undefined> {
  if (job.key === undefined) return undefined
  const outcome = await log.outcomeOf(job.stream.tenant, job.key)
  return outcome === undefined ? undefined : repeat(log, job, outcome)
}

function repeat(
  log: EventLog,
  { key }: Job,
  outcome: { readonly hash: string } & Pick<Dispatched, 'events' | 'version'> & { readonly head: Anchor },
): Dispatched {
  if (key !== undefined && outcome.hash !== key.hash) {
    throw new BifoldError('command/id-reused', { command: key.name, commandId: key.id })
  }
  return answer(log, outcome, outcome.version, outcome.head, key !== undefined)
}

/** The log decodes events when they are looked at, and most callers do not look. */
function answer(
  log: EventLog,
  outcome: Pick<Dispatched, 'events'>,
  version: Version,
  head: Anchor,
  repeated: boolean,
): Dispatched {
  return {
    get events() {
      return outcome.events
    },
    version,
    position: head.position,
    token: tokenOf(log.id, head),
    repeated,
  }
}

const nothing = { events: [] }

/** The state with everything that is in the stream after it. */
async function readOn(engine: Engine, job: Job, from: Folded, epoch: number): Promise<Folded> {
  const { log, states, snapshots, pageEvents } = engine
  const { aggregate } = job.plan
  const first = from.version === 0 && aggregate.snapshot !== undefined ? await readFirst(engine, job, from) : undefined
  let folded = first?.folded ?? from
  let isWhole = first?.isWhole ?? false
  while (!isWhole) {
    const events = await log.readStream(job.stream, { fromVersion: folded.version + 1, maxEvents: pageEvents })
    folded = fold(aggregate, folded, events)
    isWhole = events.length < pageEvents
  }
  // So much had to be folded that a state should have been kept: it was not, or of another snapshot version.
  if (isDue(aggregate, 0, folded.version - (first?.keptVersion ?? from.version))) {
    snapshots.offer(job.stream, job.streamName, aggregate, folded)
  }
  // A stream without events is not held: anybody can name any number of them.
  if (folded.version > 0) states.keep(job.streamName, folded, epoch)
  return folded
}

/** The state that was kept, with the first events after it. */
async function readFirst({ log, pageEvents }: Engine, { plan, stream }: Job, from: Folded) {
  const options = { snapshotVersion: snapshotVersionOf(plan.aggregate), maxEvents: pageEvents }
  const { snapshot, events } = await log.readFromSnapshot(stream, options)
  const kept = snapshot === undefined ? from : restored(snapshot)
  if (kept === undefined) return undefined
  return {
    folded: fold(plan.aggregate, kept, events),
    keptVersion: kept.version,
    isWhole: events.length < pageEvents,
  }
}

const firstPauseMs = 4
const maxPauseMs = 500

/**
 * The first time at once; then longer and longer, by chance, so that processes that met do not meet again. A process
 * that has many commands for the stream wins each meeting, since it need not read before it appends: the pauses, about
 * half a second in all, let it come to their end. Where an append takes longer, so do the other process's, and the pauses.
 */
async function pause(runtime: Runtime, conflicts: number, appendMs: number): Promise<void> {
  if (conflicts === 1) return
  const upToMs = Math.min(Math.max(firstPauseMs, appendMs) * 2 ** (conflicts - 2), maxPauseMs)
  const mayEnd = runtime.stayAlive()
  await new Promise<void>(resolve => {
    runtime.after(Math.ceil(runtime.random() * upToMs), resolve)
  })
  mayEnd()
}
