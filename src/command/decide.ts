import { type AnyAggregate, BifoldError, type DecisionContext, type NewEvent, type Rejection } from '../define/index.ts'

/** A command of the app, looked up once. */
export interface Plan {
  readonly aggregate: AnyAggregate
  readonly category: string
  readonly command: string
  /** `order/PayOrder`: with tenant and id it is the key under which a command is carried out once. */
  readonly name: string
  readonly definition: AnyAggregate['commands'][string]
}

/** What a decision comes to: events to append (none: nothing to do), or an error for the caller. */
export type Decision =
  | { readonly kind: 'accepted'; readonly events: readonly NewEvent[] }
  | { readonly kind: 'refused'; readonly error: BifoldError }

/** Decides. Pure, as far as the aggregate's `decide` is; never throws. */
export function decide(
  plan: Plan,
  state: unknown,
  input: unknown,
  context: DecisionContext,
  expectedVersion: number | undefined,
): Decision {
  const { category, command, definition } = plan
  const { streamId, version } = context
  if (expectedVersion !== undefined && expectedVersion !== version) {
    return refused(
      new BifoldError('command/version-mismatch', { category, streamId, expected: expectedVersion, version }),
    )
  }
  if (definition.stream === 'existing' && version === 0) {
    return refused(new BifoldError('command/stream-not-found', { category, streamId, command }))
  }
  if (definition.stream === 'new' && version > 0) {
    return refused(new BifoldError('command/stream-exists', { category, streamId, command, version }))
  }
  let decided: unknown
  try {
    decided = definition.decide(state, input, context)
  } catch (cause) {
    return refused(new BifoldError('command/decide-failed', { category, command }, { cause }))
  }
  if (isRejection(decided)) {
    const { reason, message, details } = decided
    const data = { category, command, reason, message, ...(details === undefined ? {} : { details }) }
    return refused(new BifoldError('command/rejected', data))
  }
  const problem = problemOf(plan, decided)
  if (problem !== undefined) {
    return refused(new BifoldError('command/invalid-decision', { category, command, problem }))
  }
  return { kind: 'accepted', events: decided as readonly NewEvent[] }
}

function refused(error: BifoldError): Decision {
  return { kind: 'refused', error }
}

function isRejection(decided: unknown): decided is Rejection {
  return decided instanceof Object && 'kind' in decided && decided.kind === 'rejection'
}

/** Types see to this where they are used; a decision in JavaScript, or an async one, comes to here. */
function problemOf({ aggregate, category }: Plan, decided: unknown): string | undefined {
  if (!Array.isArray(decided)) {
    return decided instanceof Promise
      ? 'a promise, and a decision is synchronous: what it needs to know belongs into its input'
      : 'neither an array of events nor reject(…)'
  }
  for (const event of decided as readonly (Partial<NewEvent> | null | undefined)[]) {
    if (event?.category !== category || !Object.hasOwn(aggregate.events.types, event.type ?? '')) {
      return `an event that is not of the contract '${category}'`
    }
  }
  return undefined
}
