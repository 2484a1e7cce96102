import { type BifoldError, isError } from 'bifold'
import type { Dispatch } from 'bifold/command'
import { type EventLog, origin } from 'bifold/log'
import type { PlannedCommand } from './plan.ts'

/** What became of the commands so far. */
export interface Tally {
  handled: number
  accepted: number
  /** Accepted by an earlier import. */
  repeated: number
  /** Refused by an earlier import. */
  refusedBefore: number
  /** Refused, by the rule that refused them. */
  readonly rejected: Map<string, number>
}

export interface Sending {
  readonly commands: readonly PlannedCommand[]
  readonly dispatch: Dispatch
  readonly log: EventLog
  /** Commands under way at once. Default 128. */
  readonly concurrency?: number
  /** Called after each command. */
  readonly onProgress?: (tally: Tally) => void
}

/**
 * Sends a plan's commands, so that the log's order is the plan's. A command whose stream's state is known to this
 * process reaches the log in the very call that sends it, and so does one that begins a stream. Whatever would have to
 * wait first (for its stream's command before it, or for its stream to be read) is waited for before the next is sent.
 *
 * What an earlier import did is found in the log, and not sent again: events carry the ids of their commands for ever.
 * Of what was refused there is no trace, and sending it again could go otherwise: an order that was to be shipped before
 * it was paid is paid now. A command without an event was refused if a later one of its stream has an event.
 *
 * @throws whatever is neither an acceptance nor a rule's refusal: a lost connection, a full queue. What was under way
 * has ended then; the import can be run again.
 */
export async function sendAll({ commands, dispatch, log, concurrency = 128, onProgress }: Sending): Promise<Tally> {
  const done = await commandsInLog(log)
  const lastDone = lastDoneOf(commands, done)
  const tally: Tally = { handled: 0, accepted: 0, repeated: 0, refusedBefore: 0, rejected: new Map() }
  const underWay = new Set<Promise<void>>()
  const lastOfStream = new Map<string, Promise<void>>()
  const known = new Set<string>()
  let failure: { readonly error: unknown } | undefined

  const handled = (): void => {
    tally.handled++
    onProgress?.(tally)
  }
  const carryOut = async (command: PlannedCommand): Promise<void> => {
    try {
      const { repeated } = await command.send(dispatch, { commandId: command.commandId })
      if (repeated) tally.repeated++
      else tally.accepted++
    } catch (error) {
      const rule = ruleOf(error)
      if (rule === undefined) failure ??= { error }
      else tally.rejected.set(rule, (tally.rejected.get(rule) ?? 0) + 1)
    }
    handled()
  }
  const start = (command: PlannedCommand): Promise<void> => {
    const outcome = carryOut(command).finally(() => {
      underWay.delete(outcome)
      if (lastOfStream.get(command.stream) === outcome) lastOfStream.delete(command.stream)
    })
    underWay.add(outcome)
    lastOfStream.set(command.stream, outcome)
    return outcome
  }

  for (const [index, command] of commands.entries()) {
    const { stream, commandId, begins } = command
    const isDone = done.has(commandId)
    if (isDone || index < (lastDone.get(stream) ?? -1)) {
      if (isDone) tally.repeated++
      else tally.refusedBefore++
      handled()
      continue
    }
    const mustLoad = !begins && !known.has(stream)
    await (mustLoad ? Promise.all(underWay) : lastOfStream.get(stream))
    while (underWay.size >= concurrency) await Promise.race(underWay)
    if (failure !== undefined) break
    const outcome = start(command)
    known.delete(stream)
    known.add(stream)
    if (known.size > knownStreams) known.delete(known.values().next().value ?? '')
    if (mustLoad) await outcome
  }
  await Promise.all(underWay)
  if (failure !== undefined) throw failure.error
  return tally
}

/** Streams taken for known: fewer than a dispatcher holds the states of (10,000), so that each of them is among those. */
const knownStreams = 5000

/** The ids of the commands whose events are in the log. */
async function commandsInLog(log: EventLog): Promise<ReadonlySet<string>> {
  const ids = new Set<string>()
  for (let from = origin; ; ) {
    const page = await log.read(from)
    for (const { metadata } of page.events) {
      if (metadata.commandId?.startsWith('import/') === true) ids.add(metadata.commandId)
    }
    if (page.atHead) return ids
    from = page.through
  }
}

/** For each stream, where in the plan its last command stands that is in the log. */
function lastDoneOf(commands: readonly PlannedCommand[], done: ReadonlySet<string>): ReadonlyMap<string, number> {
  const last = new Map<string, number>()
  for (const [index, { stream, commandId }] of commands.entries()) if (done.has(commandId)) last.set(stream, index)
  return last
}

const refusals = [
  'command/stream-exists',
  'command/stream-not-found',
  'command/invalid-input',
  'command/id-reused',
] as const

/** The rule that refused a command; `undefined` where it was not refused but failed. */
function ruleOf(error: unknown): string | undefined {
  if (isError(error, 'command/rejected')) return (error as BifoldError<'command/rejected'>).data.reason
  return refusals.find(code => isError(error, code))
}
