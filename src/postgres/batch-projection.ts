import {
  type AnyEvents,
  type AnyProjection,
  BifoldError,
  type EventOf,
  type JsonSchema,
  type Projection,
  type Query,
  type Schema,
} from '../define/index.ts'
import { type Sql, sqlStateOf } from './client.ts'
import { inViews } from './view-names.ts'
import type { ViewClient } from './view-native.ts'

/** A projection that takes whole batches, and keeps what it makes of them in tables of its own. */
export interface BatchProjection<Tables> extends Projection<never, never, {}> {
  /** Carries a type and has no value. */
  readonly ownTables?: Tables
}

/** A table of a batch projection, in PostgreSQL's own words. */
export interface OwnTable {
  /** What stands between the parentheses of `create table`: columns and constraints. */
  readonly columns: string
  /** What stands between those of `create index`, for each. Default none. */
  readonly indexes?: readonly string[]
}

/** Statements in one transaction, and the tables of the generation by the names that the definition gives them. */
export interface BatchClient<Tables> {
  /** As SQL takes them: quoted, and with their schema. */
  readonly tables: { readonly [Name in keyof Tables]: string }
  query<Row>(text: string, values?: readonly unknown[]): Promise<readonly Row[]>
}

type EventsIn<From extends readonly AnyEvents[]> = From[number] extends infer Contract
  ? Contract extends AnyEvents
    ? EventOf<Contract>
    : never
  : never

/**
 * Declares a projection that takes batches of events with PostgreSQL's own client, in the transaction that moves its
 * checkpoint: each event is in its tables once, or not at all. The escape hatch, for what no fold can say; what it loses
 * stands in `docs/batch-projections.md`.
 *
 * @param name in kebab-case; its tables take their names from it.
 * @param definition.from the contracts whose events it takes, all of them, in order.
 * @param definition.tables its tables, by name. They belong to a generation, and are made and dropped with it.
 * @param definition.handle writes what a batch makes of them. How events are divided into batches may differ each time;
 *   it awaits nothing but the client, which is its own until it returns.
 * @param definition.version counts the definitions that it has had. Another one makes new tables, which are filled from the
 *   beginning of the log. Default 1.
 */
export function batchProjection<
  const From extends readonly AnyEvents[],
  const Tables extends Readonly<Record<string, OwnTable>>,
>(
  name: string,
  definition: {
    readonly from: From
    readonly version?: number
    readonly tables: Tables
    readonly handle: (events: readonly EventsIn<From>[], client: BatchClient<Tables>) => Promise<void>
    readonly commit?: 'A batch projection is not committed with the append: its code would run under the lock of the log'
  },
): BatchProjection<Tables> {
  const { from, version = 1, tables, handle, commit = 'after-append' } = definition
  const types = from.flatMap(contract => Object.keys(contract.types))
  const noRow = noRowOf(tables)
  return {
    kind: 'projection',
    name,
    from,
    version,
    shards: 1,
    // What the types refuse is refused by name when the app is made.
    commit: commit as 'after-append',
    key: 'stream',
    state: noRow,
    row: noRow,
    on: Object.fromEntries(types.map(type => [type, () => null])),
    refs: {},
    rollups: {},
    indexes: [],
    batch: {
      store: 'postgres',
      tables,
      handle: (events, client) => lend(name, client as AnyClient, own => handle(events as never, own as never)),
    },
  }
}

/**
 * Declares a query to the tables of a batch projection, in SQL: on one snapshot, reading only. Which tenant asks stands in
 * `tenant`; heeding it is the query's own business.
 *
 * @param name in kebab-case; over HTTP it is a path.
 * @param definition.from the batch projection. A token waits for it, and `asOf` is its position.
 * @param definition.input the schema of its input.
 * @param definition.run asks, and answers plain data.
 * @param definition.output the schema of the answer, for OpenAPI.
 */
export function batchQuery<const Input, const Sent, Tables, Result>(
  name: string,
  definition: {
    readonly from: BatchProjection<Tables>
    readonly input: Schema<Input, Sent>
    readonly run: (client: BatchClient<Tables> & { readonly tenant: string }, input: NoInfer<Input>) => Promise<Result>
    readonly output?: Schema<unknown>
  },
): Query<Input, Result, Sent> {
  const { from, input, run, output } = definition
  return {
    kind: 'query',
    name,
    from: from as AnyProjection,
    input,
    ask: {
      verb: 'native',
      store: 'postgres',
      views: { from: from as AnyProjection },
      run: async (client, given) => {
        const { sql, tenant, tableOf } = client as ViewClient
        const { table } = tableOf(from) ?? missing(from.name)
        return lend(name, clientOn(sql, from, table), own => run({ ...own, tenant } as never, given))
      },
      ...(output !== undefined && { output }),
    },
  }
}

function missing(projection: string): never {
  throw new BifoldError('run/unknown-projection', { projection })
}

type AnyClient = BatchClient<Record<string, string>>

/**
 * Lends a client to a user's code until that returns: its connection then is somebody else's. A statement that failed there,
 * and that nobody minded, has undone the transaction for PostgreSQL, unless a savepoint was gone back to: so it is thrown.
 */
async function lend<T>(name: string, client: AnyClient, run: (own: AnyClient) => Promise<T>): Promise<T> {
  let isOver = false
  let failed: Error | undefined
  const own: AnyClient = {
    tables: client.tables,
    query: async (text, values) => {
      if (isOver) throw new BifoldError('project/client-returned', { definition: name })
      return client.query<never>(text, values).catch((error: unknown) => {
        if (sqlStateOf(error) !== inFailedTransaction) failed = error as Error
        throw error
      })
    },
  }
  try {
    const result = await run(own)
    const cause = failed
    if (cause !== undefined) {
      await client.query('select').catch(() => {
        throw cause
      })
    }
    return result
  } finally {
    isOver = true
  }
}

/** What PostgreSQL says to every statement after one that failed. */
const inFailedTransaction = '25P02'

/** @param table of the generation's rows, which gives the others their names. */
export function clientOn(
  sql: Pick<Sql, 'query'>,
  { batch }: AnyProjection,
  table: string,
): BatchClient<Record<string, string>> {
  const names = Object.keys(batch?.tables ?? {})
  return {
    tables: Object.fromEntries(names.map(name => [name, inViews(ownTableOf(table, name))])),
    query: (text, values) => sql.query({ text }, values),
  }
}

const ownTableOf = (table: string, name: string): string => `${table}__${name}`

/** What makes the tables of a generation. */
export function ownTablesOf({ batch }: AnyProjection, table: string): readonly string[] {
  const tables = Object.entries((batch?.tables ?? {}) as Readonly<Record<string, OwnTable>>)
  return tables.flatMap(([name, { columns, indexes = [] }]) => {
    const own = inViews(ownTableOf(table, name))
    return [`create table ${own} (${columns})`, ...indexes.map(index => `create index on ${own} (${index})`)]
  })
}

/**
 * A batch projection has no rows that anybody else could know. Its tables stand for them in the shape of rows: queries that
 * were written for other tables are not answered from these.
 */
function noRowOf(tables: Readonly<Record<string, OwnTable>>): Schema<never> {
  const columns = Object.entries(tables).map(([name, table]) => [name, table.columns])
  const jsonSchema = () => ({ type: 'object', properties: {}, tables: Object.fromEntries(columns) as JsonSchema })
  return {
    '~standard': {
      version: 1,
      vendor: 'bifold',
      validate: () => ({ issues: [{ message: 'a batch projection has no rows' }] }),
      jsonSchema: { input: jsonSchema, output: jsonSchema },
    },
  }
}
