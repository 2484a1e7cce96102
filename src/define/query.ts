import { BifoldError } from './errors.ts'
import type { AnyProjection, Projection } from './projection.ts'
import type { RollupSource } from './rollup.ts'
import type { Schema } from './schema.ts'

/** What `list` reads: rows in the order of a declared index, from a cursor on. */
export interface ListRequest<Row> {
  /** A declared index of the projection, column by column. */
  readonly index: readonly (keyof Row & string)[]
  /**
   * Values for a leading part of the index: equality on its first columns, then at most one range on the next.
   * A column that is absent or `undefined` does not narrow.
   */
  readonly where?: { readonly [Column in keyof Row & string]?: Row[Column] | Range<Row[Column]> | undefined }
  /** Default `asc`. Rows that are equal in the index's columns come in the same order of their keys. */
  readonly order?: 'asc' | 'desc' | undefined
  /** At most this many rows. Default 50, at most 1000. */
  readonly limit?: number | undefined
  /** The `next` of an earlier answer to the same request. */
  readonly cursor?: string | undefined
}

/** A bound that is absent or `undefined` does not narrow. */
export interface Range<Value> {
  readonly gt?: Value | undefined
  readonly gte?: Value | undefined
  readonly lt?: Value | undefined
  readonly lte?: Value | undefined
}

/** What `list` answers: the rows, and the cursor of the rows after them (`null`: there are none). */
export interface Listed<Row> {
  readonly rows: readonly Row[]
  readonly next: string | null
}

interface Verbs<Input, Row> {
  readonly get: (input: Input) => string
  readonly many: (input: Input) => readonly string[]
  readonly list: (input: Input) => ListRequest<Row>
}

type Verb<Input, Row> =
  | Pick<Verbs<Input, Row>, 'get'>
  | Pick<Verbs<Input, Row>, 'many'>
  | Pick<Verbs<Input, Row>, 'list'>

type ResultOf<Row, V> = V extends { readonly list: unknown }
  ? Listed<Row>
  : V extends { readonly many: unknown }
    ? readonly (Row | null)[]
    : Row | null

/**
 * A named question to one view, in a verb that every store can answer. `Input` is what the verb gets, `Sent` what callers
 * send: the two sides of the input's schema.
 */
export interface Query<Input, Result, Sent = Input> {
  readonly kind: 'query'
  /** Carries a type and has no value. */
  readonly sent?: Sent
  readonly name: string
  readonly from: Projection<unknown>
  /** The rollup of `from` that it reads; absent: it reads rows. */
  readonly rollup?: string
  readonly input: Schema<Input>
  readonly ask: Ask<Input>
  /** Carries the type of the answer and has no value. */
  readonly result?: Result
}

/** The verbs, as the engine sees them. `native` belongs to one store: it is handed that store's own client. */
export type Ask<Input> =
  | { readonly verb: 'get'; readonly key: (input: Input) => string }
  | { readonly verb: 'many'; readonly keys: (input: Input) => readonly string[] }
  | { readonly verb: 'list'; readonly request: (input: Input) => ListRequest<Record<string, unknown>> }
  | {
      readonly verb: 'native'
      readonly store: string
      readonly views: Readonly<Record<string, AnyProjection>>
      readonly run: (client: unknown, input: Input) => Promise<unknown>
      /** Says what it answers, for OpenAPI. */
      readonly output?: Schema<unknown>
    }

export type AnyQuery = Query<any, any, any>

/**
 * Declares a query.
 *
 * @param name in kebab-case; over HTTP it is a path.
 * @param definition.from the projection that it reads, or the `rollup` of one.
 * @param definition.input the schema of its input. Its JSON Schema says how a query string is coerced.
 * @param definition.get one row by its key (`null` where there is none), or
 * @param definition.many the rows of many keys, in their order, or
 * @param definition.list rows in the order of a declared index, with ranges and a cursor.
 * @throws `define/invalid-definition` where there is not exactly one of `get`, `many` and `list`.
 */
export function query<const Input, const Sent, const Row, const V extends Verb<NoInfer<Input>, NoInfer<Row>>>(
  name: string,
  definition: { readonly from: Projection<Row> | RollupSource<Row>; readonly input: Schema<Input, Sent> } & V,
): Query<Input, ResultOf<Row, V>, Sent> {
  const { from } = definition
  return {
    kind: 'query',
    name,
    ...(from.kind === 'rollup'
      ? { from: from.projection, rollup: from.rollup }
      : { from: from as Projection<unknown> }),
    input: definition.input,
    ask: askOf(name, definition) as Ask<Input>,
  }
}

function askOf<Input, Row>(name: string, verbs: Partial<Verbs<Input, Row>>): unknown {
  const { get, many, list } = verbs
  if ([get, many, list].filter(verb => verb !== undefined).length !== 1) {
    throw new BifoldError('define/invalid-definition', {
      place: `query('${name}')`,
      problem: 'it needs one of `get`, `many` and `list`, and only one',
    })
  }
  if (get !== undefined) return { verb: 'get', key: get }
  if (many !== undefined) return { verb: 'many', keys: many }
  return { verb: 'list', request: list }
}
