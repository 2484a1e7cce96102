export { embedded, postgres } from './backend.ts'
export {
  type BatchClient,
  type BatchProjection,
  batchProjection,
  batchQuery,
  type OwnTable,
} from './batch-projection.ts'
export type { Database, Lane, LaneOptions, Sql, Statement, TransactionOptions } from './client.ts'
export { type PostgresLogOptions, postgresLogStorage } from './log-storage.ts'
export { migrate } from './migrate.ts'
export { openPostgres, type PostgresOptions } from './pg-client.ts'
export { openPglite, type PgliteOptions } from './pglite-client.ts'
export { pruneCommands } from './prune-commands.ts'
export { type SqlRow, type SqlViews, sqlQuery } from './sql-query.ts'
export { type PostgresViewStoreOptions, postgresViewStore } from './view-store.ts'
