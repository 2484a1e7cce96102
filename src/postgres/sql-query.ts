import type { QueryCreator } from 'kysely'
import { type AnyProjection, BifoldError, type Projection, type Query, type Schema } from '../define/index.ts'
import { openSqlViews } from './sql-views.ts'
import type { ViewClient } from './view-native.ts'

/** A row of a view, as SQL sees it: its columns, where what may be missing is null, and its key. */
export type SqlRow<Row> = {
  [Column in keyof Row]-?: undefined extends Row[Column] ? Exclude<Row[Column], undefined> | null : Row[Column]
} & { readonly _key: string }

type RowOf<P> = P extends Projection<infer Row> ? SqlRow<Row> : never

/** The part of Kysely that reads. Its tables are the views by the names that the query gave them. */
export type SqlViews<Views> = Pick<
  QueryCreator<{ [Name in keyof Views]: RowOf<Views[Name]> }>,
  'selectFrom' | 'selectNoFrom' | 'with' | 'withRecursive'
>

/**
 * Declares a query in SQL, for views that are kept in PostgreSQL. It sees the columns of the views that it names, and
 * only the rows of the tenant that asks; it reads one snapshot, and can write nothing.
 *
 * Values come as JSON has them: integers and sums as numbers, timestamps as ISO 8601 with the offset `+00:00`.
 *
 * @param name in kebab-case; over HTTP it is a path.
 * @param definition.views the views, by the names of their tables in `run`.
 * @param definition.input the schema of its input.
 * @param definition.run asks, by Kysely, and answers plain data.
 * @param definition.output the schema of the answer, for OpenAPI.
 * @throws `define/invalid-definition` where no view is named · when asked: `setup/missing-peer` where `kysely` is not
 * installed.
 */
export function sqlQuery<const Input, const Sent, const Views extends Readonly<Record<string, AnyProjection>>, Result>(
  name: string,
  definition: {
    readonly views: Views
    readonly input: Schema<Input, Sent>
    readonly run: (db: SqlViews<Views>, input: NoInfer<Input>) => Promise<Result>
    readonly output?: Schema<unknown>
  },
): Query<Input, Result, Sent> {
  const { views, input, run, output } = definition
  const [from] = Object.values(views)
  if (from === undefined) {
    const problem = '`views` names no view'
    throw new BifoldError('define/invalid-definition', { place: `sqlQuery('${name}')`, problem })
  }
  return {
    kind: 'query',
    name,
    from,
    input,
    ask: {
      verb: 'native',
      store: 'postgres',
      views,
      run: async (client, given) =>
        run((await openSqlViews(client as ViewClient, views)) as unknown as SqlViews<Views>, given),
      ...(output !== undefined && { output }),
    },
  }
}
