import type { AnyEvents, EventOf, TypeOf } from './events.ts'
import type { Given, Schema } from './schema.ts'

/**
 * A read model: how the events of some contracts fold into rows, in up to three stages. It says nothing about where the
 * rows live.
 */
export interface Projection<Row, State = any, Rollups = any> {
  readonly kind: 'projection'
  readonly name: string
  readonly from: readonly AnyEvents[]
  readonly version: number
  readonly shards: number
  /** When its rows are committed: after the events, as the projector gets to them, or in one transaction with them. */
  readonly commit: CommitMode
  /** What is folded. */
  readonly state: Schema<State>
  readonly key: 'stream' | Readonly<Record<string, KeyOf | undefined>>
  readonly on: Readonly<Record<string, Fold | undefined>>
  /** What queries answer. Without `present` that is the state. */
  readonly row: Schema<Row>
  readonly refs: Readonly<Record<string, Ref>>
  readonly present?: Present
  readonly rollups: { readonly [Name in keyof Rollups]: Rollup }
  readonly indexes: readonly (readonly string[])[]
  /** Where it takes whole batches with the client of one store: it folds nothing then, and has no rows. */
  readonly batch?: Batch
  /** Carries a type and has no value. */
  readonly sums?: Rollups
}

export type AnyProjection = Projection<any>
export type CommitMode = 'after-append' | 'with-append'
type KeyOf = (event: any) => string | readonly string[] | null
type Fold = (state: any, event: any, key: string) => unknown
type Present = (state: any, refs: any) => unknown

/** What a store that hands out its own client has to know of a projection that takes whole batches. */
export interface Batch {
  readonly store: string
  /** Its tables, each by what the store makes it of. */
  readonly tables: Readonly<Record<string, unknown>>
  readonly handle: (events: readonly any[], client: any) => Promise<void>
}

/** Names a row of another projection that this one's rows are made with. */
export interface Ref {
  readonly to: AnyProjection
  readonly key: (state: any) => string | null
}

/** Sums over groups of rows. */
export interface Rollup {
  readonly by: (row: any) => string | null
  readonly sum: (row: any) => Readonly<Record<string, number>>
}

type TypesIn<From extends readonly AnyEvents[]> = { [I in keyof From]: TypeOf<From[I]> }[number]

type EventIn<From extends readonly AnyEvents[], Type extends string> = From[number] extends infer Contract
  ? Contract extends AnyEvents
    ? EventOf<Contract, Type>
    : never
  : never

/** The three stages as a user writes them. */
type Stages<State, Row, Refs, Rollups> = {
  readonly refs?: {
    readonly [Name in keyof Refs]: {
      readonly to: Projection<Refs[Name]>
      readonly key: (state: NoInfer<State>) => string | null
    }
  }
  readonly row?: Schema<Row>
  readonly present?: (
    state: NoInfer<State>,
    refs: { readonly [Name in keyof NoInfer<Refs>]: NoInfer<Refs>[Name] | null },
  ) => Given<NoInfer<Row>>
  readonly rollups?: {
    readonly [Name in keyof Rollups]: {
      readonly by: (row: NoInfer<Row>) => string | null
      readonly sum: (row: NoInfer<Row>) => Rollups[Name]
    }
  }
}

/** What a projection's `commit` may be; or, in the compiler's error, why not. */
type CommitOf<Commit, Refs, Shards extends number> = [keyof Refs] extends [never]
  ? Shards extends 1
    ? Commit
    : 'after-append' | 'A projection that is committed with the append has one shard: leave `shards` out'
  : 'after-append' | 'A projection that is committed with the append has no refs'

/** The same of keys of its own. */
type KeysOf<Commit, Keys> = Commit extends 'with-append'
  ? "A projection that is committed with the append has the key 'stream': leave `key` out"
  : Keys

/**
 * Declares a projection.
 *
 * @param name in kebab-case; the view's table and plain SQL view take their names from it.
 * @param definition.from the contracts whose events it folds.
 * @param definition.state the schema of what is folded; without `present` these are the rows. Its JSON Schema gives the
 *   columns; it may not transform.
 * @param definition.key which rows an event touches: `'stream'` (default: the row of the event's stream), or for each
 *   type of event a function that gives one key, several, or `null` for none.
 * @param definition.on for each type of event the state after it: pure, from the state before it (`null` where there is
 *   none). `null` deletes. Events without an entry are passed over.
 * @param definition.refs rows of other projections that `present` gets, each by a name: `to` which projection, and the
 *   `key` of the row there, or `null` for none. A projection that is referred to has no `refs` itself.
 * @param definition.row the schema of the rows that `present` makes. Its JSON Schema then gives the columns.
 * @param definition.present makes the row of a state and the rows referred to (`null` where there is none): pure. When one
 *   of those changes, the row is made again.
 * @param definition.rollups sums over groups of rows, each by a name: `by` gives a row's group (`null`: it is in none), and
 *   `sum` what it adds there, by names: integers. `rollup(projection, name)` is what queries read it by.
 * @param definition.indexes the columns that `list` may go by; non-null scalars.
 * @param definition.shards into how many parts its keys are divided, each carried on by itself: 1 to 64, default 1. Another
 *   number makes a new generation of the view.
 * @param definition.commit `'with-append'`: its rows are written in the transaction that appends the events, so that every
 *   query after an accepted command sees them, without a token; a fold that throws then refuses its command. Only for the
 *   key `'stream'`, one shard and no `refs`, and where log and views are one database. Default `'after-append'`.
 * @param definition.version counts the definitions that this projection has had. Default 1.
 */
export function projection<
  const From extends readonly AnyEvents[],
  const State,
  const Row = State,
  Folded extends TypesIn<From> = never,
  Keyed extends TypesIn<From> = never,
  const Refs = {},
  const Rollups extends Readonly<Record<string, Readonly<Record<string, number>>>> = {},
  const Shards extends number = 1,
  const Commit extends CommitMode = 'after-append',
>(
  name: string,
  definition: {
    readonly from: From
    readonly version?: number
    readonly shards?: Shards
    readonly commit?: CommitOf<Commit, Refs, Shards>
    readonly state: Schema<State>
    readonly key?:
      | 'stream'
      | KeysOf<Commit, { readonly [Type in Keyed]: (event: EventIn<From, Type>) => string | readonly string[] | null }>
    readonly on: {
      readonly [Type in Folded]: (
        state: NoInfer<State> | null,
        event: EventIn<From, Type>,
        key: string,
      ) => Given<NoInfer<State>> | null
    }
    readonly indexes?: readonly (readonly (keyof NoInfer<Row> & string)[])[]
  } & Stages<State, Row, Refs, Rollups>,
): Projection<Row, State, Rollups> {
  const { key = 'stream', indexes = [], version = 1, shards = 1, refs = {}, rollups = {}, ...rest } = definition
  const { commit = 'after-append', row = definition.state } = definition
  return { kind: 'projection', name, key, indexes, version, shards, refs, rollups, ...rest, commit, row } as never
}
