import type { DatabaseConnection, Kysely } from 'kysely'
import { type AnyProjection, BifoldError } from '../define/index.ts'
import type { ViewClient } from './view-native.ts'

type Driver = typeof import('kysely')

/**
 * A Kysely whose tables are `views`. Each is a common table expression over the table of the view's generation, with its
 * own columns and its tenant's rows: not materialized, so that conditions reach the indexes.
 */
export async function openSqlViews(client: ViewClient, views: Readonly<Record<string, AnyProjection>>) {
  const driver = await importDriver()
  let creator: Pick<Kysely<Record<string, Record<string, unknown>>>, 'with'> = kyselyOn(driver, client)
  for (const [name, projection] of Object.entries(views)) {
    const found = client.tableOf(projection)
    if (found === undefined) throw new Error(`the view ${projection.name} is not open in this process`)
    const columns = ['_key', ...found.columns.map(column => column.name)]
    creator = creator.with(
      cte => cte(name).notMaterialized(),
      db => db.withSchema('bifold_views').selectFrom(found.table).select(columns).where('_tenant', '=', client.tenant),
    )
  }
  return creator
}

async function importDriver(): Promise<Driver> {
  try {
    return await import('kysely')
  } catch (cause) {
    throw new BifoldError('setup/missing-peer', { peer: 'kysely', purpose: 'queries in SQL' }, { cause })
  }
}

function kyselyOn(
  { Kysely, PostgresAdapter, PostgresIntrospector, PostgresQueryCompiler }: Driver,
  client: ViewClient,
): Kysely<Record<string, Record<string, unknown>>> {
  const connection: DatabaseConnection = {
    executeQuery: async <Row>({
      sql,
      parameters,
    }: {
      readonly sql: string
      readonly parameters: readonly unknown[]
    }) => {
      // As JSON each value has the type that the row's schema gave it, in one text that is parsed once.
      const text = `select coalesce(json_agg(answer), '[]')::text as rows from (${sql}) answer`
      const [answer] = await client.sql.query<{ rows: string }>({ text }, parameters)
      return { rows: JSON.parse((answer as { rows: string }).rows) as Row[] }
    },
    streamQuery: () => {
      throw new Error('a query in SQL answers at once; it cannot stream')
    },
  }
  const nothing = async (): Promise<void> => undefined
  return new Kysely({
    dialect: {
      createAdapter: () => new PostgresAdapter(),
      createDriver: () => ({
        init: nothing,
        acquireConnection: async () => connection,
        beginTransaction: nothing,
        commitTransaction: nothing,
        rollbackTransaction: nothing,
        releaseConnection: nothing,
        destroy: nothing,
      }),
      createIntrospector: db => new PostgresIntrospector(db),
      createQueryCompiler: () => new PostgresQueryCompiler(),
    },
  })
}
