import type { Client, ClientConfig, Pool, PoolClient, PoolConfig, QueryConfig } from 'pg'
import { BifoldError } from '../define/index.ts'
import { type Runtime, systemRuntime } from '../log/index.ts'
import {
  beginOf,
  type Database,
  type Lane,
  type LaneOptions,
  parsers,
  type Sql,
  type Statement,
  sqlStateOf,
  type TransactionSql,
} from './client.ts'
import { copyIn } from './pg-copy.ts'

export interface PostgresOptions {
  /** Connections for statements and transactions that write. Default 10. */
  readonly poolConnections?: number
  /** Connections that can only read, for the query side. Default 10. */
  readonly readerConnections?: number
  /** How long making a connection may take. Default 10000. */
  readonly connectTimeoutMs?: number
  /**
   * A transaction that writes, and whose process says nothing for so long, is ended by the server, and its connection with
   * it: a process that was stopped in the middle of it would keep its locks, and nobody could take its shards over.
   * Default 10000.
   */
  readonly idleTransactionMs?: number
  readonly runtime?: Runtime
}

type Driver = typeof import('pg')['default']
type Queryable = Pick<Client, 'query'>

/**
 * Opens a PostgreSQL by its URL (`postgres://user@host/database`). No connection is made yet.
 * @throws `setup/invalid-option` for what is no such URL · `setup/missing-peer` where `pg` is not installed.
 */
export async function openPostgres(url: string, options: PostgresOptions = {}): Promise<Database> {
  const {
    poolConnections = 10,
    readerConnections = 10,
    connectTimeoutMs = 10_000,
    idleTransactionMs = 10_000,
    runtime = systemRuntime,
  } = options
  mustBeUrl(url)
  const driver = await importDriver()
  const settings = (startUp: string): ClientConfig => ({
    connectionString: withStartUp(
      url,
      `-c TimeZone=UTC -c client_min_messages=warning -c default_transaction_isolation=read\\ committed ${startUp}`,
    ),
    types: typesOf(driver),
    connectionTimeoutMillis: connectTimeoutMs,
    keepAlive: true,
    // A listening connection sends nothing by itself; the system's default notices its death after two hours.
    keepAliveInitialDelayMillis: 10_000,
    application_name: 'bifold',
  })
  /** Said within each: behind a pooler, what a connection was started with may hold for another one. */
  const writing = (begin: Statement): Statement => ({
    text: `${begin.text}; set local idle_in_transaction_session_timeout = ${Math.round(idleTransactionMs)}`,
  })
  const pool = poolOf(driver, { ...settings(''), max: poolConnections })
  const readers = poolOf(driver, { ...settings('-c default_transaction_read_only=on'), max: readerConnections })
  return {
    kind: 'postgres',
    sql: sqlOn(pool),
    reader: sqlOn(readers),
    lane: laneOptions => makeLane(driver, settings, writing(beginOf({})), laneOptions),
    transaction: (run, transactionOptions = {}) => {
      const begin = beginOf(transactionOptions)
      if (transactionOptions.readOnly === true) return inTransaction(readers, run, begin)
      return inTransaction(pool, run, writing(begin))
    },
    listen: (channel, onNotify, onReconnect) =>
      listenOn(() => new driver.Client(settings('')), runtime, channel, onNotify, onReconnect),
    isConnectionLost,
    close: async () => {
      await Promise.all([pool.end(), readers.end()])
    },
  }
}

async function importDriver(): Promise<Driver> {
  try {
    return (await import('pg')).default
  } catch (cause) {
    throw new BifoldError('setup/missing-peer', { peer: 'pg', purpose: 'PostgreSQL' }, { cause })
  }
}

function mustBeUrl(url: string): void {
  if (!URL.canParse(url) || !/^postgres(ql)?:$/.test(new URL(url).protocol)) {
    throw new BifoldError('setup/invalid-option', {
      option: 'url',
      rule: 'it is like postgres://user:password@host:5432/database',
    })
  }
}

/** Settings that hold from the first statement of a connection on. They go behind those that the URL has itself. */
function withStartUp(url: string, startUp: string): string {
  const parsed = new URL(url)
  const own = parsed.searchParams.get('options')
  parsed.searchParams.set('options', [own, startUp.trim()].filter(Boolean).join(' '))
  return parsed.href
}

function typesOf(driver: Driver): NonNullable<ClientConfig['types']> {
  const getTypeParser = (oid: number, format?: 'text' | 'binary') =>
    (format !== 'binary' && parsers[oid]) || driver.types.getTypeParser(oid, format as 'text')
  return { getTypeParser } as NonNullable<ClientConfig['types']>
}

function poolOf(driver: Driver, config: PoolConfig): Pool {
  const pool = new driver.Pool({ ...config, allowExitOnIdle: true })
  // An idle connection that breaks leaves the pool by itself; without a listener its error would end the process.
  pool.on('error', () => undefined)
  return pool
}

function sqlOn(queryable: Queryable): Sql {
  return {
    query: async (statement, values) => (await queryable.query(configOf(statement, values))).rows,
    script: async text => {
      await queryable.query(text)
    },
  }
}

function configOf(statement: Statement, values: readonly unknown[] = []): QueryConfig {
  return { ...statement, values: values as unknown[] }
}

async function inTransaction<T>(pool: Pool, run: (sql: TransactionSql) => Promise<T>, begin: Statement): Promise<T> {
  const client = await pool.connect()
  let broken: Error | undefined
  // A connection that breaks between two statements says so only here; the next statement then fails.
  const onError = (error: Error): void => {
    broken = error
  }
  client.on('error', onError)
  try {
    await client.query(begin)
    const result = await run({ ...sqlOn(client), copyIn: (text, chunks) => copyIn(client, text, chunks) })
    mustBeCommitted(await client.query('commit'))
    return result
  } catch (error) {
    if (isConnectionLost(error)) broken ??= error as Error
    else broken ??= await rollback(client)
    throw error
  } finally {
    client.off('error', onError)
    client.release(broken)
  }
}

/** The server answers a `commit` of a transaction in which a statement failed by rolling it back, and by no error. */
function mustBeCommitted({ command }: { readonly command: string }): void {
  if (command === 'COMMIT') return
  const inFailedTransaction = '25P02'
  throw Object.assign(new Error('A statement of the transaction failed: it was rolled back.'), {
    code: inFailedTransaction,
  })
}

/** The first statement goes with `begin`, in one round trip. */
async function transactOn<T>(client: Client, begin: Statement, run: (sql: Sql) => Promise<T>): Promise<T> {
  const begun = client.query(begin.text)
  // What it says is said again by the statements behind it.
  begun.catch(() => undefined)
  try {
    const result = await run(sqlOn(client))
    await begun
    mustBeCommitted(await client.query('commit'))
    return result
  } catch (error) {
    // A connection that cannot even roll back is not used again: `use` lets go of it.
    if (!isConnectionLost(error)) await client.query('rollback')
    throw error
  }
}

async function rollback(client: PoolClient): Promise<Error | undefined> {
  try {
    await client.query('rollback')
    return undefined
  } catch (error) {
    return error as Error
  }
}

function makeLane(
  driver: Driver,
  settings: (startUp: string) => ClientConfig,
  begin: Statement,
  { statementTimeoutMs = 30_000, pipelined = false }: LaneOptions = {},
): Lane {
  let connection: Promise<Client> | undefined
  const connect = async (): Promise<Client> => {
    // The server gives up first; the client only where the server does not answer any more.
    const client = new driver.Client({
      ...settings(`-c statement_timeout=${statementTimeoutMs}`),
      query_timeout: statementTimeoutMs + 1000,
      // Not in the driver's types yet. A driver that does not know it sends one after the other.
      ...{ pipeline: pipelined },
    })
    client.on('error', () => undefined)
    await client.connect()
    return client
  }
  const reach = (): Promise<Client> => {
    const mine = connect()
    // One that breaks while nothing is under way loses nothing: the next statement goes over a new one.
    mine.then(
      client => client.once('end', () => connection === mine && (connection = undefined)),
      () => undefined,
    )
    return mine
  }
  const use = async <T>(run: (client: Client) => Promise<T>): Promise<T> => {
    connection ??= reach()
    const mine = connection
    try {
      return await run(await mine)
    } catch (error) {
      if (isConnectionLost(error)) {
        if (connection === mine) connection = undefined
        mine
          .then(
            client => client.end(),
            () => undefined,
          )
          .catch(() => undefined)
      }
      throw error
    }
  }
  /** Until the transaction that is under way has ended. */
  let busy: Promise<void> | undefined
  const inTurn = async <T>(run: (client: Client) => Promise<T>): Promise<T> => {
    while (busy !== undefined) await busy
    return use(run)
  }
  return {
    query: (statement, values) => inTurn(client => sqlOn(client).query(statement, values)),
    script: text => inTurn(client => sqlOn(client).script(text)),
    transaction: async run => {
      while (busy !== undefined) await busy
      const result = use(client => transactOn(client, begin, run))
      busy = result.then(
        () => undefined,
        () => undefined,
      )
      void busy.then(() => {
        busy = undefined
      })
      return result
    },
    close: async () => {
      const last = connection
      connection = undefined
      await last?.then(
        client => client.end(),
        () => undefined,
      )
    },
  }
}

async function listenOn(
  make: () => Client,
  runtime: Runtime,
  channel: string,
  onNotify: (payload: string) => void,
  onReconnect: () => void,
): Promise<() => Promise<void>> {
  const firstDelayMs = 50
  const maxDelayMs = 2000
  let ended = false
  let current: Client | undefined
  let cancelRetry = (): void => undefined
  // An open connection keeps the process alive; one that is being made again must too.
  let mayEnd = (): void => undefined
  const connect = async (): Promise<void> => {
    const client = make()
    let lost = false
    const onLost = (): void => {
      if (lost || current !== client) return
      lost = true
      client.end().catch(() => undefined)
      if (ended) return
      mayEnd = runtime.stayAlive()
      retry(firstDelayMs)
    }
    client.on('error', onLost)
    client.on('end', onLost)
    client.on('notification', ({ payload }) => onNotify(payload ?? ''))
    try {
      await client.connect()
      await client.query(`listen ${quoteName(channel)}`)
    } catch (error) {
      client.end().catch(() => undefined)
      throw error
    }
    if (ended) return client.end()
    current = client
    mayEnd()
  }
  const retry = (delayMs: number): void => {
    cancelRetry = runtime.after(delayMs, () => {
      connect().then(
        () => !ended && onReconnect(),
        () => !ended && retry(Math.min(delayMs * 2, maxDelayMs)),
      )
    })
  }
  await connect()
  return async () => {
    ended = true
    cancelRetry()
    mayEnd()
    await current?.end().catch(() => undefined)
  }
}

function quoteName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

const lostStates = /^(08...|57P0[1-5]|57014|53300|25P03)$/
const lostSockets = new Set([
  'ECONNRESET',
  'ECONNREFUSED',
  'ECONNABORTED',
  'EPIPE',
  'ETIMEDOUT',
  'ENOENT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
])
const lostMessages =
  /connection terminated|connection ended|not queryable|client was closed|query read timeout|timeout expired|timeout exceeded/i

function isConnectionLost(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  const state = sqlStateOf(error)
  if (state !== undefined && 'severity' in error) return lostStates.test(state)
  if ('code' in error && lostSockets.has(String(error.code))) return true
  return lostMessages.test(error.message)
}
