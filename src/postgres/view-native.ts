import type { AnyProjection, Column } from '../define/index.ts'
import type { Anchor } from '../log/index.ts'
import { lowestOf, type NativeReader } from '../project/index.ts'
import type { Database, Sql } from './client.ts'
import { tableNameOf } from './view-names.ts'
import { checkpointsStatement } from './view-read.ts'

/** The table of a view, in the generation that this process reads. */
export interface ViewTable {
  readonly table: string
  readonly columns: readonly Column[]
}

/** What a native query is handed: statements on one snapshot of one database, which can only read. */
export interface ViewClient {
  readonly tenant: string
  readonly sql: Pick<Sql, 'query'>
  tableOf(projection: AnyProjection): ViewTable | undefined
}

export function nativeReader(
  database: Database,
  view: { readonly projection: string; readonly generation: number },
  columnsOf: (projection: AnyProjection) => readonly Column[] | undefined,
): NativeReader {
  return {
    run: (tenant, serving, read) =>
      database.transaction(
        async sql => {
          const tableOf = (projection: AnyProjection): ViewTable | undefined => {
            const [generation, columns] = [serving.get(projection.name), columnsOf(projection)]
            if (generation === undefined || columns === undefined) return undefined
            return { table: tableNameOf(projection.name, generation), columns }
          }
          const at = await sql.query<Anchor>(checkpointsStatement, [view.projection, view.generation])
          return { value: await read({ tenant, sql, tableOf } satisfies ViewClient), asOf: lowestOf(at) }
        },
        { readOnly: true, isolation: 'snapshot' },
      ),
  }
}
