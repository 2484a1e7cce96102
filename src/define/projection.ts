import type { AnyEvents, EventOf, TypeOf } from './events.ts'
import type { Given, Schema } from './schema.ts'

/** A read model: how the events of some contracts fold into rows. It says nothing about where the rows live. */
export interface Projection<Row> {
  readonly kind: 'projection'
  readonly name: string
  readonly from: readonly AnyEvents[]
  readonly version: number
  readonly shards: number
  readonly state: Schema<Row>
  readonly key: 'stream' | Readonly<Record<string, KeyOf | undefined>>
  readonly on: Readonly<Record<string, Fold<Row> | undefined>>
  readonly indexes: readonly (readonly string[])[]
}

export type AnyProjection = Projection<any>
type KeyOf = (event: any) => string | readonly string[] | null
type Fold<Row> = (row: any, event: any, key: string) => Row | null

type TypesIn<From extends readonly AnyEvents[]> = { [I in keyof From]: TypeOf<From[I]> }[number]

type EventIn<From extends readonly AnyEvents[], Type extends string> = From[number] extends infer Contract
  ? Contract extends AnyEvents
    ? EventOf<Contract, Type>
    : never
  : never

/**
 * Declares a projection.
 *
 * @param name in kebab-case; the view's table and plain SQL view take their names from it.
 * @param definition.from the contracts whose events it folds.
 * @param definition.state the schema of a row. Its JSON Schema gives the columns; it may not transform.
 * @param definition.key which rows an event touches: `'stream'` (default: the row of the event's stream), or for each
 *   type of event a function that gives one key, several, or `null` for none.
 * @param definition.on for each type of event the row after it: pure, from the row before it (`null` where there is
 *   none). `null` deletes. Events without an entry are passed over.
 * @param definition.indexes the columns that `list` may go by; non-null scalars.
 * @param definition.shards into how many parts its keys are divided, each carried on by itself: 1 to 64, default 1. Another
 *   number makes a new generation of the view.
 * @param definition.version counts the definitions that this projection has had. Default 1.
 */
export function projection<
  const From extends readonly AnyEvents[],
  const Row,
  Folded extends TypesIn<From> = never,
  Keyed extends TypesIn<From> = never,
>(
  name: string,
  definition: {
    readonly from: From
    readonly version?: number
    readonly shards?: number
    readonly state: Schema<Row>
    readonly key?:
      | 'stream'
      | { readonly [Type in Keyed]: (event: EventIn<From, Type>) => string | readonly string[] | null }
    readonly on: {
      readonly [Type in Folded]: (
        row: NoInfer<Row> | null,
        event: EventIn<From, Type>,
        key: string,
      ) => Given<NoInfer<Row>> | null
    }
    readonly indexes?: readonly (readonly (keyof NoInfer<Row> & string)[])[]
  },
): Projection<Row> {
  const { key = 'stream', indexes = [], version = 1, shards = 1, ...rest } = definition
  return { kind: 'projection', name, key, indexes, version, shards, ...rest } as Projection<Row>
}
