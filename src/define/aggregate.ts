import type { AnyEvents, EventOf, NewEventOf, TypeOf, Version } from './events.ts'
import type { Rejection } from './reject.ts'
import type { Given, Schema } from './schema.ts'

/** What a decision may know beside state and input. Time comes from here, so that a decision stays pure. */
export interface DecisionContext {
  readonly tenant: string
  readonly streamId: string
  /** The version of the state decided on: 0 where the stream has no event yet. */
  readonly version: Version
  /** The engine's clock when the command was taken, ISO 8601 in UTC with milliseconds. */
  readonly now: string
}

/** One command of an aggregate. */
export interface Command<Contract extends AnyEvents, State, Input> {
  readonly input: Schema<Input>
  /** `existing`: refuse a stream without events. `new`: refuse one that has any. Default: both will do. */
  readonly stream?: 'existing' | 'new'
  /** Pure. The events to append (none: nothing to do), or `reject(…)`. */
  readonly decide: (state: State, input: Input, context: DecisionContext) => readonly NewEventOf<Contract>[] | Rejection
}

/**
 * How states of long streams are kept, so that a stream that is not held in memory is not folded from its beginning.
 * Nothing depends on them: what was not kept is folded.
 */
export interface SnapshotPolicy {
  /** A state is kept with every so many events. */
  readonly every: number
  /**
   * Counts the shapes and meanings that the state has had. Raise it with every change of `initial`, `evolve` or an
   * upcast that would fold old events to another state: states kept under a lower one are then passed over. Default 1.
   */
  readonly version?: number
}

/** What JSON gives back as it was. Whatever is not so becomes `never`. */
type AsJson<T> = T extends undefined | bigint | symbol | ((...args: never) => unknown)
  ? never
  : T extends string | number | boolean | null
    ? T
    : T extends readonly (infer Item)[]
      ? readonly AsJson<Item>[]
      : T extends Date | RegExp | ReadonlyMap<unknown, unknown> | ReadonlySet<unknown> | ArrayBufferView
        ? never
        : T extends object
          ? { readonly [Key in keyof T]: AsJson<T[Key]> }
          : T

/** A sentence in place of a type is what the compiler then says. */
type SnapshotPolicyOf<State> =
  State extends AsJson<State>
    ? SnapshotPolicy
    : 'A state that is kept is JSON: no undefined, Date, Map, Set, bigint or function in it'

/**
 * A consistency boundary: state folded from one stream, and the commands that are decided on it. `Inputs` is what
 * decisions get, `Sent` what callers send: the two sides of each command's schema.
 */
export interface Aggregate<Contract extends AnyEvents, State, Inputs, Sent = Inputs> {
  readonly kind: 'aggregate'
  /** Carries a type and has no value. */
  readonly sent?: Sent
  readonly events: Contract
  readonly initial: () => State
  readonly evolve: Evolve<Contract, State>
  readonly commands: { readonly [Name in keyof Inputs]: Command<Contract, State, Inputs[Name]> }
  readonly snapshot?: SnapshotPolicy
}

type Evolve<Contract extends AnyEvents, State> = {
  readonly [Type in TypeOf<Contract>]: (state: State, event: EventOf<Contract, Type>) => State
}

type GivenEvolve<Contract extends AnyEvents, State> = {
  readonly [Type in TypeOf<Contract>]: (state: State, event: EventOf<Contract, Type>) => Given<NoInfer<State>>
}

export type AnyAggregate = Aggregate<any, any, any, any>

/**
 * Declares an aggregate.
 *
 * @param contract the events it decides: `events(…)`.
 * @param definition.initial the state of a stream without events. Annotate what it returns: `(): OrderState => …`.
 * @param definition.evolve for each event of the contract, the state after it. Pure.
 * @param definition.commands for each command its input's schema and its decision.
 * @param definition.snapshot keeps states of long streams. Default: none are kept.
 */
export function aggregate<Contract extends AnyEvents, const State, const Inputs, const Sent>(
  contract: Contract,
  definition: {
    readonly initial: () => State
    readonly evolve: GivenEvolve<Contract, State>
    readonly commands: { readonly [Name in keyof Inputs]: Command<Contract, State, Inputs[Name]> } & {
      readonly [Name in keyof Sent]: { readonly input: Schema<unknown, Sent[Name]> }
    }
    readonly snapshot?: SnapshotPolicyOf<NoInfer<State>>
  },
): Aggregate<Contract, State, Inputs, Sent> {
  return { kind: 'aggregate', events: contract, ...definition } as Aggregate<Contract, State, Inputs, Sent>
}
