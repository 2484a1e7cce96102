/**
 * The one way to a PostgreSQL: over a socket by `pg`, or embedded by PGlite. Both run the same SQL and answer the same
 * JavaScript values: `bigint` as a number (checked to be safe), `json`, `jsonb`, `numeric` and every kind of date and
 * time as the text that the database sends, everything else as the drivers do.
 */
export interface Database {
  readonly kind: 'postgres' | 'pglite'
  /** For statements that stand alone. Each may run on another connection. */
  readonly sql: Sql
  /** As `sql`, on connections that can only read. On PGlite, which has one connection, only `transaction` sees to it. */
  readonly reader: Sql
  /**
   * One connection for one user's statements, in order. It is made when first used, and made again after it was lost;
   * what was under way then fails with an error that `isConnectionLost`.
   */
  lane(options?: LaneOptions): Lane
  /** Runs `run` between `begin` and `commit`, READ COMMITTED; rolls back what throws. */
  transaction<T>(run: (sql: TransactionSql) => Promise<T>, options?: TransactionOptions): Promise<T>
  /**
   * Hears notifications. A lost connection is made again by itself, and then `onReconnect` is called: what was notified
   * meanwhile is gone. Answers with what ends it.
   */
  listen(channel: string, onNotify: (payload: string) => void, onReconnect: () => void): Promise<() => Promise<void>>
  /** Is it unknown what became of the statement that failed with this error, because its connection is gone? */
  isConnectionLost(error: unknown): boolean
  close(): Promise<void>
}

export interface Sql {
  /** Runs one statement. One that has a name is parsed and planned once per connection. */
  query<Row>(statement: Statement, values?: readonly unknown[]): Promise<readonly Row[]>
  /** Runs several statements, as in a `.sql` file. They have no parameters and answer nothing. */
  script(text: string): Promise<void>
}

export interface TransactionSql extends Sql {
  /** Runs `copy … from stdin` in its text format with what `chunks` yields, each of which is whole lines. */
  copyIn(text: string, chunks: AsyncIterable<string>): Promise<void>
}

export interface Statement {
  /** Unique in the process. Absent: for statements that are built at run time and seldom come again. */
  readonly name?: string
  readonly text: string
}

export interface Lane extends Sql {
  /**
   * Runs `run` between `begin` and `commit`, READ COMMITTED, behind the statements that were asked for before; those that
   * are asked for meanwhile go behind it. Rolls back what throws.
   */
  transaction<T>(run: (sql: Sql) => Promise<T>): Promise<T>
  close(): Promise<void>
}

export interface LaneOptions {
  /** A statement that takes longer is cancelled, and its connection counts as lost. Default 30000. */
  readonly statementTimeoutMs?: number
  /** Sends statements before those ahead of them are answered; they are carried out in order still. Default false. */
  readonly pipelined?: boolean
}

export interface TransactionOptions {
  /** Default false. */
  readonly readOnly?: boolean
  /** `snapshot`: every statement sees the same state of the database (REPEATABLE READ). Default `committed`. */
  readonly isolation?: 'committed' | 'snapshot'
}

/** PostgreSQL's code of an error (`23505`: unique violation), or `undefined` for what did not come from a server. */
export function sqlStateOf(error: unknown): string | undefined {
  const code = error instanceof Object && 'code' in error ? error.code : undefined
  return typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code) ? code : undefined
}

/** The parsers of both drivers, by the type's OID, for text that is not null. */
export const parsers: Readonly<Record<number, (text: string) => unknown>> = {
  20: safeInteger, // bigint
  114: asIs, // json
  3802: asIs, // jsonb
  1700: asIs, // numeric
  1082: asIs, // date
  1083: asIs, // time
  1114: asIs, // timestamp
  1184: asIs, // timestamptz
  1186: asIs, // interval
  1266: asIs, // timetz
  1016: text => integersOf(text), // bigint[]
  1007: text => integersOf(text), // integer[]
}

function asIs(text: string): string {
  return text
}

function safeInteger(text: string): number {
  const value = Number(text)
  if (!Number.isSafeInteger(value)) throw new RangeError(`a bigint from the database is no safe integer: ${text}`)
  return value
}

function integersOf(text: string): readonly (number | null)[] {
  return text === '{}'
    ? []
    : text
        .slice(1, -1)
        .split(',')
        .map(part => (part === 'NULL' ? null : safeInteger(part)))
}

/** `begin` for each kind of transaction, whole. READ COMMITTED is said aloud: a database may default to another. */
export function beginOf({ readOnly = false, isolation = 'committed' }: TransactionOptions): Statement {
  if (isolation === 'snapshot') {
    return readOnly
      ? { text: 'begin isolation level repeatable read read only' }
      : { text: 'begin isolation level repeatable read' }
  }
  return readOnly
    ? { text: 'begin isolation level read committed read only' }
    : { text: 'begin isolation level read committed' }
}
