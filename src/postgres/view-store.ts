import { type AnyProjection, BifoldError } from '../define/index.ts'
import { type Runtime, systemRuntime } from '../log/index.ts'
import { lowestOf, rowId, type ShardCheckpoint, type View, type ViewShape, type ViewStore } from '../project/index.ts'
import { type Database, type Sql, type Statement, sqlStateOf } from './client.ts'
import { migrate } from './migrate.ts'
import { commitVerb, moveStatement, moveValues } from './view-commit.ts'
import { openGeneration } from './view-generations.ts'
import { tableNameOf } from './view-names.ts'
import { nativeReader, type ViewTable } from './view-native.ts'
import { type MovedNotices, movedNotices } from './view-notify.ts'
import {
  anchorsOf,
  type CheckpointRow,
  checkpointStatement,
  checkpointsStatement,
  claimStatement,
  docsOf,
  type GetRow,
  getStatement,
  getValues,
  type ListRow,
  listedOf,
  listQuery,
} from './view-read.ts'
import { snapshotVerb } from './view-snapshot.ts'

export interface PostgresViewStoreOptions {
  /** The shortest time between two notifications to other processes that views have moved. Default 2. */
  readonly notifyMs?: number
  readonly runtime?: Runtime
}

/**
 * Keeps views in PostgreSQL, over a socket or embedded: a table for each generation, with a typed column for each of the
 * row's properties beside the row's own JSON.
 */
export function postgresViewStore(database: Database, options: PostgresViewStoreOptions = {}): ViewStore {
  const { notifyMs = 2, runtime = systemRuntime } = options
  const notices = movedNotices(database, runtime, notifyMs)
  const tables = new Map<AnyProjection, ViewTable>()
  let migrated: Promise<void> | undefined
  return {
    kind: 'postgres',
    open: async shape => {
      migrated ??= migrate(database)
      const generation = await migrated
        .then(() => openGeneration(database, shape))
        .catch(error => {
          migrated = undefined
          throw coded(database, shape.projection.name, error)
        })
      const { projection, columns } = shape
      notices.opened(projection.name)
      tables.set(projection, { table: tableNameOf(projection.name, generation), columns })
      const native = nativeReader(database, { projection: projection.name, generation }, other => tables.get(other))
      return { ...openView(database, shape, generation, notices), native }
    },
    onMoved: listener => notices.onMoved(listener),
    close: () => notices.close(),
  }
}

function openView(database: Database, shape: ViewShape, generation: number, notices: MovedNotices): View {
  const { name, shards } = shape.projection
  const table = tableNameOf(name, generation)
  const commit = commitVerb(name, generation, table, shape.columns)
  const get = getStatement(table)
  const snapshot = snapshotVerb(database, { projection: name, generation, table }, shape.columns)

  async function ask<Row>(sql: Sql, statement: Statement, values: readonly unknown[]): Promise<readonly Row[]> {
    try {
      return await sql.query<Row>(statement, values)
    } catch (error) {
      throw coded(database, name, error)
    }
  }
  const one = async <Row>(sql: Sql, statement: Statement, values: readonly unknown[]): Promise<Row> =>
    (await ask<Row>(sql, statement, values))[0] as Row

  return {
    projection: name,
    generation,
    shards,
    claim: shard => one<CheckpointRow>(database.sql, claimStatement, [name, generation, shard]),
    checkpoint: shard => one<CheckpointRow>(database.sql, checkpointStatement, [name, generation, shard]),
    checkpoints: () => ask<ShardCheckpoint>(database.sql, checkpointsStatement, [name, generation]),
    load: async keys => {
      if (keys.length === 0) return new Map()
      const docs = docsOf(await one<GetRow>(database.sql, get, getValues(name, generation, keys)), keys)
      const found = new Map<string, string>()
      for (const [n, key] of keys.entries()) {
        const doc = docs[n]
        if (doc != null) found.set(rowId(key), doc)
      }
      return found
    },
    commit: async change => {
      const isMove = change.upserts.length === 0 && change.deletes.length === 0
      const { statement, values } = isMove
        ? { statement: moveStatement, values: moveValues(name, generation, change) }
        : commit(change)
      const rows = await ask(database.sql, statement, values)
      if (rows.length === 0) return 'fenced'
      notices.moved(name)
      return 'committed'
    },
    get: async keys => {
      const row = await one<GetRow>(database.reader, get, getValues(name, generation, keys))
      const anchors = anchorsOf(row)
      return { value: docsOf(row, keys), asOf: lowestOf(anchors), shards: anchors }
    },
    list: async scan => {
      const { statement, values } = listQuery(name, generation, table, shape.columns, scan)
      const row = await one<ListRow>(database.reader, statement, values)
      return { value: listedOf(row), asOf: lowestOf(anchorsOf(row)) }
    },
    // An error of whoever reads passes as it is; one of the database gets its code.
    snapshot: read =>
      snapshot(read).catch(error => {
        throw isOfDatabase(database, error) ? coded(database, name, error) : error
      }),
  }
}

function isOfDatabase(database: Database, error: unknown): boolean {
  return sqlStateOf(error) !== undefined || database.isConnectionLost(error)
}

/** The database's own message may quote what is stored; its code says what happened. */
function coded(database: Database, projection: string, error: unknown): BifoldError {
  if (error instanceof BifoldError) return error
  const problem = `SQLSTATE ${sqlStateOf(error) ?? 'unknown'}`
  return database.isConnectionLost(error)
    ? new BifoldError('project/store-unreachable', { projection, problem }, { cause: error })
    : new BifoldError('project/store-failed', { projection, problem }, { cause: error })
}
