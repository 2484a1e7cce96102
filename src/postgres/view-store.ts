import { type AnyProjection, BifoldError, type Column } from '../define/index.ts'
import { type Runtime, systemRuntime } from '../log/index.ts'
import {
  type Letter,
  type LoadedRow,
  lowestOf,
  mustBeFor,
  type RowKey,
  type View,
  type ViewCommit,
  type ViewShape,
  type ViewStore,
} from '../project/index.ts'
import { clientOn } from './batch-projection.ts'
import { type Database, type Sql, type Statement, sqlStateOf } from './client.ts'
import { isTransient } from './is-transient.ts'
import { migrate } from './migrate.ts'
import { commitVerb, moveStatement, moveValues } from './view-commit.ts'
import {
  dropGeneration,
  type FoundGeneration,
  findGeneration,
  knownGenerations,
  openGeneration,
  rebuildGeneration,
} from './view-generations.ts'
import { viewInAppend } from './view-in-append.ts'
import {
  type BeatRow,
  beatStatement,
  beatValues,
  holdingsOf,
  leaveStatement,
  releaseStatement,
  type TakeRow,
  takeStatement,
} from './view-leases.ts'
import { deadLettersOf, Full, lockParking, readSkips, writeParking } from './view-letters.ts'
import { endOtherLoads, loadVerbs } from './view-load.ts'
import { tableNameOf } from './view-names.ts'
import { nativeReader } from './view-native.ts'
import { type ViewNotices, viewNotices } from './view-notify.ts'
import { pauseProjection, readPaused, resetGeneration, resumeProjection } from './view-operations.ts'
import {
  anchorsOf,
  type CheckpointRow,
  checkpointOf,
  checkpointStatement,
  checkpointsStatement,
  claimStatement,
  docsOf,
  type GetRow,
  getStatement,
  getValues,
  type ListRow,
  type LoadRow,
  listedOf,
  listQuery,
  loadedOf,
  loadStatement,
  loadValues,
  type ShardRow,
  shardCheckpointOf,
} from './view-read.ts'
import {
  type Asked,
  asOfQuery,
  asOfRead,
  besidesOf,
  changesQuery,
  changesRead,
  dependentsQuery,
  dependentsRead,
  prunePast,
  type ReferredRow,
  refer,
  refersToStatement,
  type ViewName,
} from './view-referred.ts'
import { groupListQuery, groupListRead, groupsQuery, groupsRead, makeSweeps } from './view-rollups.ts'
import { snapshotVerb } from './view-snapshot.ts'
import { activateGeneration, readGenerations } from './view-swap.ts'

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
  const notices = viewNotices(database, runtime, notifyMs)
  const columnsOf = new Map<AnyProjection, readonly Column[]>()
  // On a connection of its own: a beat must not wait behind what holds up all the others.
  const beats = database.lane({ statementTimeoutMs: 10_000 })
  let migrated: Promise<void> | undefined
  /** On the schema as this release needs it. What the database says gets its code. */
  const ask = async <T>(projection: string, run: () => Promise<T>): Promise<T> => {
    migrated ??= migrate(database).catch(error => {
      migrated = undefined
      throw error
    })
    return migrated.then(run).catch(error => {
      throw coded(database, projection, error)
    })
  }
  const opened = (shape: ViewShape, found: FoundGeneration): View => {
    const { projection } = shape
    const { generation } = found
    notices.opened(projection.name)
    const native = nativeReader(database, { projection: projection.name, generation }, other => columnsOf.get(other))
    return { ...openView(database, shape, found, notices), native }
  }
  return {
    kind: 'postgres',
    open: async (shape, generation) => {
      mustBeFor('postgres', shape.projection)
      const { name } = shape.projection
      const found = await ask(name, () => openGeneration(database, shape, generation))
      if (found.isNew) notices.changed(name)
      columnsOf.set(shape.projection, shape.columns)
      return opened(shape, found)
    },
    find: async (shape, generation) => {
      mustBeFor('postgres', shape.projection)
      return opened(shape, await ask(shape.projection.name, () => findGeneration(database, shape, generation)))
    },
    rebuild: async (shape, newest) => {
      const { name } = shape.projection
      const view = opened(shape, await ask(name, () => rebuildGeneration(database, shape, newest)))
      notices.changed(name)
      return view
    },
    known: shape => ask(shape.projection.name, () => knownGenerations(database, shape)),
    skips: (projection, key) => ask(projection, () => readSkips(database.sql, projection, key)),
    generations: projection => ask(projection, () => readGenerations(database, projection)),
    activate: async (projection, generation, how = {}) => {
      const activation = await ask(projection, () => activateGeneration(database, projection, generation, how))
      if (activation.kind === 'activated') notices.changed(projection)
      return activation
    },
    drop: async (projection, generation) => {
      const dropping = await ask(projection, () => dropGeneration(database, projection, generation))
      if (dropping === 'dropped') notices.changed(projection)
      return dropping
    },
    pause: async projection => {
      await ask(projection, () => pauseProjection(database, projection))
      notices.changed(projection)
    },
    resume: async projection => {
      await ask(projection, () => resumeProjection(database, projection))
      notices.changed(projection)
    },
    paused: () => ask(all, () => readPaused(database)),
    reset: async (projection, generation) => {
      const resetting = await ask(projection, () => resetGeneration(database, projection, generation))
      if (resetting === 'reset') {
        notices.changed(projection)
        notices.moved(projection)
      }
      return resetting
    },
    onGenerations: listener => notices.onChanged(listener),
    onMoved: listener => notices.onMoved(listener),
    beat: beat =>
      ask(all, async () => {
        const [row] = await beats.query<BeatRow>(beatStatement, beatValues(beat))
        if (row?.isNew) notices.toldOthers()
        return holdingsOf(row as BeatRow, beat)
      }),
    leave: owner =>
      ask(all, async () => {
        await beats.query(leaveStatement, [owner])
        notices.toldOthers()
      }),
    close: async () => {
      await Promise.all([notices.close(), beats.close()])
    },
  }
}

/** Stands for the name of a projection in an error that is about all of them. */
const all = '*'

function openView(database: Database, shape: ViewShape, found: FoundGeneration, notices: ViewNotices): View {
  const { name } = shape.projection
  const { generation, shards, keepsPast } = found
  const loads = loadVerbs(database, shape, found)
  const table = tableNameOf(name, generation)
  const own: ViewName = { projection: name, generation, table }
  const commit = commitVerb(name, generation, table, shape)
  const get = getStatement(table)
  const load = loadStatement(table, shape)
  const sweeps = makeSweeps(own)
  const snapshot = snapshotVerb(database, { projection: name, generation, table }, shape)

  const dropped = () => new BifoldError('project/generation-dropped', { projection: name, generation })
  const codedHere = (error: unknown): BifoldError => {
    const undefinedTable = '42P01'
    return sqlStateOf(error) === undefinedTable ? dropped() : coded(database, name, error)
  }
  /** An error of whoever reads or hands over rows passes as it is; one of the database gets its code. */
  const fail = (error: unknown): never => {
    throw isOfDatabase(database, error) ? codedHere(error) : error
  }
  async function ask<Row>(sql: Sql, statement: Statement, values: readonly unknown[]): Promise<readonly Row[]> {
    try {
      return await sql.query<Row>(statement, values)
    } catch (error) {
      throw codedHere(error)
    }
  }
  /** The first of some rows of which there is one as long as the generation is there. */
  const one = async <Row>(sql: Sql, statement: Statement, values: readonly unknown[]): Promise<Row> => {
    const [row] = await ask<Row>(sql, statement, values)
    if (row === undefined) throw dropped()
    return row
  }

  const guarded = <T>(done: Promise<T>): Promise<T> =>
    done.catch(error => {
      throw codedHere(error)
    })
  /** What stands in one transaction. */
  const together = <T>(run: (sql: Sql) => Promise<T>): Promise<T | 'full'> =>
    database.transaction(run).catch(error => {
      if (error instanceof Full) return 'full'
      throw codedHere(error)
    })

  /** That the database is away is told to whoever uses its client, too. */
  const watched = (sql: Sql): Pick<Sql, 'query'> => ({
    query: (statement, values) =>
      sql.query<never>(statement, values).catch(error => {
        throw database.isConnectionLost(error) ? coded(database, name, error) : error
      }),
  })

  const loadRows = (sql: Sql, keys: readonly RowKey[]): Promise<ReadonlyMap<string, LoadedRow>> =>
    sql.query<LoadRow>(load, loadValues(keys)).then(([row]) => loadedOf(row as LoadRow, keys))
  /** Moves the checkpoint and writes rows: one statement. */
  const moveOf = (change: ViewCommit) => {
    const { upserts, deletes, rollups = [] } = change
    const isMove = upserts.length === 0 && deletes.length === 0 && rollups.length === 0
    return isMove ? { statement: moveStatement, values: moveValues(name, generation, change) } : commit(change)
  }
  /** The same, with what stands beside rows, in the transaction of `sql`. */
  const write = async (sql: Sql, change: ViewCommit, besides: readonly Asked[]): Promise<'committed' | 'fenced'> => {
    const { statement, values } = moveOf(change)
    const moved = outcomeOf(await sql.query(statement, values))
    if (moved === 'committed') for (const asked of besides) await sql.query(asked.statement, asked.values)
    return moved
  }
  const besidesRows = (change: ViewCommit): readonly Asked[] => [...besidesOf(own, change), ...sweeps(change)]

  return {
    projection: name,
    generation,
    shards,
    take: async (shard, owner, leaseMs) => {
      const values = [name, generation, shard, owner, leaseMs]
      const { there, epoch, ...at } = await one<TakeRow>(database.sql, takeStatement, values)
      if (!there) throw dropped()
      return epoch === null ? undefined : checkpointOf({ epoch, ...at })
    },
    release: async (shard, owner, epoch) => {
      const given = await ask(database.sql, releaseStatement, [name, generation, shard, owner, epoch])
      if (given.length > 0) notices.toldOthers(name)
    },
    claim: async shard =>
      checkpointOf(await one<CheckpointRow>(database.sql, claimStatement, [name, generation, shard])),
    checkpoint: async shard =>
      checkpointOf(await one<CheckpointRow>(database.sql, checkpointStatement, [name, generation, shard])),
    checkpoints: async () => {
      const all = await ask<ShardRow>(database.sql, checkpointsStatement, [name, generation])
      if (all.length === 0) throw dropped()
      return all.map(shardCheckpointOf)
    },
    load: async keys => {
      if (keys.length === 0) return new Map()
      return guarded(loadRows(database.sql, keys))
    },
    commit: async change => {
      const { parking, within } = change
      const besides = besidesRows(change)
      // Whoever was stopped in the midst of a bulk load, of which this shard has nothing, would hold the keys of these rows.
      const isFirst = change.from.position === 0
      const isAlone = parking === undefined && within === undefined && besides.length === 0 && !isFirst
      const outcome = isAlone
        ? await guarded(write(database.sql, change, besides))
        : await together(async sql => {
            if (isFirst) await endOtherLoads(sql, own, change)
            if (parking !== undefined) await lockParking(sql, name, generation, parking)
            const moved = await write(sql, change, besides)
            if (moved === 'fenced') return moved
            if (parking !== undefined) await writeParking(sql, name, generation, change.shard, parking)
            await within?.(clientOn(watched(sql), shape.projection, table))
            return moved
          })
      if (outcome === 'committed') notices.moved(name)
      return outcome
    },
    inAppend: client =>
      viewInAppend(
        {
          view: own,
          load: async (sql, keys) => (keys.length === 0 ? new Map() : loadRows(sql, keys)),
          write: (sql, change) => write(sql, change, besidesRows(change)),
          moved: () => notices.moved(name),
        },
        client as Sql,
      ),
    loading: (...load) => loads.loading(...load).catch(fail),
    bulkLoad: async load => {
      const outcome = await loads.bulkLoad(load).catch(fail)
      if (outcome === 'committed') notices.moved(name)
      return outcome
    },
    loaded: async shard => {
      if (await loads.loaded(shard).catch(fail)) notices.changed(name)
    },
    letters: deadLettersOf(name, generation, shards, (statement, values) => ask(database.sql, statement, values)),
    get: async keys => {
      const row = await one<GetRow>(database.reader, get, getValues(name, generation, keys))
      const anchors = anchorsOf(row)
      const parked: readonly Letter[] | undefined = row.parked === null ? undefined : JSON.parse(row.parked)
      return { value: docsOf(row, keys), asOf: lowestOf(anchors), shards: anchors, ...(parked && { parked }) }
    },
    list: async scan => {
      const { statement, values } = listQuery(name, generation, table, shape.columns, scan)
      const row = await one<ListRow>(database.reader, statement, values)
      return { value: listedOf(row), asOf: lowestOf(anchorsOf(row)) }
    },
    rollups: {
      get: async (rollup, groups) => {
        const { statement, values } = groupsQuery(own, rollup, groups)
        return groupsRead(await one(database.reader, statement, values), groups)
      },
      list: async (rollup, scan) => {
        const { statement, values } = groupListQuery(own, rollup, scan)
        return groupListRead(await one(database.reader, statement, values))
      },
    },
    snapshot: read => snapshot(read).catch(fail),
    keepsPast,
    asOf: async (keys, position) => {
      if (keys.length === 0) return new Map()
      const { statement, values } = asOfQuery(own, keys, position)
      return asOfRead(await one(database.sql, statement, values), keys)
    },
    changes: async query => {
      const { statement, values } = changesQuery(own, query)
      return changesRead(await one(database.sql, statement, values))
    },
    dependents: async query => {
      if (query.keys.length === 0) return []
      const { statement, values } = dependentsQuery(own, query)
      return dependentsRead(await one(database.sql, statement, values), query)
    },
    refersTo: async referred =>
      (await ask<ReferredRow>(database.sql, refersToStatement, [name, generation, referred]))[0]?.generation,
    refer: to => guarded(refer(database, own, to)),
    prune: limit => guarded(prunePast(database, own, limit)),
  }
}

const outcomeOf = (moved: readonly unknown[]) => (moved.length === 0 ? 'fenced' : 'committed')

function isOfDatabase(database: Database, error: unknown): boolean {
  return sqlStateOf(error) !== undefined || database.isConnectionLost(error)
}

/** The database's own message may quote what is stored; its code says what happened. */
function coded(database: Database, projection: string, error: unknown): BifoldError {
  if (error instanceof BifoldError) return error
  const sqlState = sqlStateOf(error)
  const problem = `SQLSTATE ${sqlState ?? 'unknown'}`
  const code = isTransient(sqlState) ? 'project/store-busy' : 'project/store-failed'
  // A statement that took longer than a time-out of the database allows ends alone, and not its connection.
  const cancelled = '57014'
  const isLost = sqlState !== cancelled && database.isConnectionLost(error)
  return new BifoldError(isLost ? 'project/store-unreachable' : code, { projection, problem }, { cause: error })
}
