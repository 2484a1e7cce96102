import type { AnyAggregate } from './aggregate.ts'
import { checkDefinitions } from './check-definitions.ts'
import { BifoldError } from './errors.ts'
import type { AnyEvents, EventType } from './events.ts'
import type { AnyProjection } from './projection.ts'
import type { AnyQuery } from './query.ts'

/** Everything a system is made of, as one checked piece of data. */
export interface App {
  readonly kind: 'app'
  readonly name: string
  readonly aggregates: readonly AnyAggregate[]
  readonly projections: readonly AnyProjection[]
  readonly queries: readonly AnyQuery[]
  /** The contracts of the aggregates, and those given as `events`. */
  readonly contracts: readonly AnyEvents[]
  /** Each event of the contracts by its name, which is unique in an app. */
  readonly eventTypes: ReadonlyMap<string, EventType>
}

/**
 * Puts definitions together, and checks them.
 *
 * @param name in kebab-case.
 * @param parts.aggregates the write side.
 * @param parts.projections the read models.
 * @param parts.queries the questions to them.
 * @param parts.events contracts that projections read and another app writes.
 * @throws `define/…` for the first thing that is wrong, naming the place.
 */
export function app(
  name: string,
  parts: {
    readonly aggregates?: readonly AnyAggregate[]
    readonly projections?: readonly AnyProjection[]
    readonly queries?: readonly AnyQuery[]
    readonly events?: readonly AnyEvents[]
  },
): App {
  const { aggregates = [], projections = [], queries = [], events = [] } = parts
  const contracts = [...new Set([...aggregates.map(aggregate => aggregate.events as AnyEvents), ...events])]
  checkDefinitions({ name, aggregates, projections, queries, contracts })
  return { kind: 'app', name, aggregates, projections, queries, contracts, eventTypes: typesOf(contracts) }
}

/** Each event of `contracts` by its name. Throws `define/duplicate-name` where two share one. */
export function typesOf(contracts: readonly AnyEvents[]): ReadonlyMap<string, EventType> {
  const types = new Map<string, EventType>()
  for (const { category, types: own } of contracts) {
    for (const [type, definition] of Object.entries(own)) {
      if (types.has(type))
        throw new BifoldError('define/duplicate-name', { place: `events('${category}')`, name: type })
      types.set(type, definition)
    }
  }
  return types
}
