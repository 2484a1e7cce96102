import { type AnyAggregate, BifoldError, type RecordedEvent, type Version } from '../define/index.ts'
import { type Anchor, origin, type Snapshot } from '../log/index.ts'

/** The state of a stream at a version. */
export interface Folded {
  /** Frozen: it is shared by every decision that is made on it. */
  readonly state: unknown
  readonly version: Version
  /** The point in the log of the stream's last event. */
  readonly head: Anchor
}

/** The state of a stream without events. */
export function initialOf(aggregate: AnyAggregate): Folded {
  return { state: frozen(aggregate.initial()), version: 0, head: origin }
}

/**
 * The state that was kept, or `undefined` where it cannot be read: somebody else wrote into it.
 */
export function restored({ state, version, at }: Snapshot): Folded | undefined {
  try {
    return { state: frozen(JSON.parse(state) as unknown), version, head: at }
  } catch {
    return undefined
  }
}

/**
 * The state after `events`, which begin at the version after `from`.
 * @throws `command/evolve-failed`
 */
export function fold(aggregate: AnyAggregate, from: Folded, events: readonly RecordedEvent[]): Folded {
  const last = events.at(-1)
  if (last === undefined) return from
  let { state } = from
  for (const event of events) {
    try {
      state = frozen(aggregate.evolve[event.type]?.(state, event) as unknown)
    } catch (cause) {
      const { category, streamId, type, version } = event
      throw new BifoldError('command/evolve-failed', { category, streamId, type, version }, { cause })
    }
  }
  return { state, version: last.version, head: { position: last.position, fingerprint: last.id.slice(-12) } }
}

/**
 * Freezes plain objects and arrays all the way down, so that an `evolve` or a `decide` that changes a state instead of
 * returning a new one throws at once and does not spoil later decisions. What is frozen already is passed over, which
 * keeps the cost to the parts that are new.
 */
function frozen<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value) || !isPlain(value)) return value
  Object.freeze(value)
  for (const inner of Object.values(value)) frozen(inner)
  return value
}

function isPlain(value: object): boolean {
  if (Array.isArray(value)) return true
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}
