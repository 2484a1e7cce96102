export type { Database, Lane, LaneOptions, Sql, Statement, TransactionOptions } from './client.ts'
export { openPostgres, type PostgresOptions } from './pg-client.ts'
export { openPglite, type PgliteOptions } from './pglite-client.ts'
