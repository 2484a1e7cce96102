import { join } from 'node:path'
import type { PGlite, Transaction } from '@electric-sql/pglite'
import { BifoldError } from '../define/index.ts'
import { type Runtime, systemRuntime } from '../log/index.ts'
import { beginOf, type Database, parsers, type Sql, type TransactionSql } from './client.ts'
import { lockDirectory } from './directory-lock.ts'

export interface PgliteOptions {
  readonly runtime?: Runtime
}

type Driver = typeof import('@electric-sql/pglite')

/**
 * Opens the embedded PostgreSQL in a directory of its own, which is made where it is missing; without a directory, in
 * memory. It has one connection: whatever is asked at the same time is answered one after the other.
 * @throws `embedded/directory-locked` where another process has it · `embedded/unusable-directory` where it cannot be
 * made, written or understood · `setup/missing-peer` where `@electric-sql/pglite` is not installed.
 */
export async function openPglite(directory?: string, options: PgliteOptions = {}): Promise<Database> {
  const { runtime = systemRuntime } = options
  const { PGlite } = await importDriver()
  const lock = directory === undefined ? undefined : await lockDirectory(directory, runtime).catch(unusable(directory))
  const place = directory === undefined ? {} : { dataDir: join(directory, 'data') }
  const pglite = await PGlite.create({ ...place, parsers: { ...parsers } }).catch(async error => {
    await lock?.release()
    if (directory === undefined) throw error
    return unusable(directory)(error)
  })
  await pglite.exec("set timezone = 'UTC'; set client_min_messages = warning")
  const fair = fairness(runtime)
  const sql = sqlOn(pglite, fair)
  const transaction: Database['transaction'] = async (run, options = {}) => {
    const [, mode] = /^begin (.*)$/.exec(beginOf(options).text) ?? []
    return pglite.transaction(async inner => {
      await inner.exec(`set transaction ${mode}`)
      return run({ ...sqlOn(inner, fair), copyIn: copyInto(inner, fair) })
    })
  }
  return {
    kind: 'pglite',
    sql,
    reader: sql,
    lane: () => ({ ...sql, transaction, close: async () => undefined }),
    transaction,
    listen: (channel, onNotify) => pglite.listen(`"${channel}"`, onNotify),
    isConnectionLost: () => false,
    close: async () => {
      if (pglite.closed) return
      await pglite.close()
      await lock?.release()
    },
  }
}

/** Gives what the file system or PGlite says about a directory a code. */
function unusable(directory: string): (cause: unknown) => never {
  return cause => {
    if (cause instanceof BifoldError) throw cause
    const problem = cause instanceof Error ? cause.message : String(cause)
    throw new BifoldError('embedded/unusable-directory', { directory, problem }, { cause })
  }
}

async function importDriver(): Promise<Driver> {
  try {
    return await import('@electric-sql/pglite')
  } catch (cause) {
    throw new BifoldError(
      'setup/missing-peer',
      { peer: '@electric-sql/pglite', purpose: 'the embedded database' },
      { cause },
    )
  }
}

function sqlOn(target: PGlite | Transaction, fair: () => Promise<void> | undefined): Sql {
  return {
    query: async <Row>({ text }: { readonly text: string }, values: readonly unknown[] = []) => {
      await fair()
      return (await target.query<Row>(text, values as unknown[])).rows
    },
    script: async text => {
      await fair()
      await target.exec(text)
    },
  }
}

/** Its standard input is a file in memory: each chunk is a statement of its own. */
function copyInto(transaction: Transaction, fair: () => Promise<void> | undefined): TransactionSql['copyIn'] {
  return async (text, chunks) => {
    const fromDevice = text.replace(/from stdin$/, "from '/dev/blob'")
    for await (const chunk of chunks) {
      await fair()
      await transaction.query(fromDevice, [], { blob: new Blob([chunk]) })
    }
  }
}

/**
 * PGlite answers within microtasks, so that a loop of awaited queries would let no timer and no socket have its turn.
 * Every few milliseconds one query therefore waits for them.
 */
function fairness(runtime: Runtime): () => Promise<void> | undefined {
  const turnEveryMs = 4
  let lastTurn = runtime.elapsed()
  return () => {
    if (runtime.elapsed() - lastTurn < turnEveryMs) return undefined
    return runtime.turn().then(() => {
      lastTurn = runtime.elapsed()
    })
  }
}
