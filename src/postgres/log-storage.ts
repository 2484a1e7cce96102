import { BifoldError } from '../define/index.ts'
import type { Anchor, BatchResult, EncodedAppend, LogStorage, Verdict } from '../log/index.ts'
import { type Database, type Sql, sqlStateOf } from './client.ts'
import { appendBatch, learnFrom, type RawResult } from './log-append.ts'
import { readAll, readTypes } from './log-pages.ts'
import { holds, readAt, readHead, readOutcomes, readStream, readVersions } from './log-read.ts'
import { readFromSnapshot, writeSnapshots } from './log-snapshots.ts'
import { migrate } from './migrate.ts'
import { makeHeads } from './stream-heads.ts'

export interface PostgresLogOptions {
  /** A batch that takes longer is given up by the database, and sent again. Default 15000. */
  readonly batchTimeoutMs?: number
}

/** The log in PostgreSQL, over a socket or embedded. `close` leaves the database open: it may hold views too. */
export function postgresLogStorage(database: Database, options: PostgresLogOptions = {}): LogStorage {
  const { sql } = database
  const heads = makeHeads()
  const lane = database.lane({ statementTimeoutMs: options.batchTimeoutMs ?? 15_000, pipelined: true })

  /** Gives errors of the database their code. */
  const coded = async <T>(work: Promise<T>, known?: Anchor): Promise<T> => {
    try {
      return await work
    } catch (error) {
      throw codeOf(error, database, known)
    }
  }
  const mustHold = <T>(page: T | undefined, from: Anchor): T => {
    if (page === undefined) throw new BifoldError('log/rewound', { position: from.position })
    return page
  }

  return {
    open: () =>
      coded(
        migrate(database).then(async () => {
          const [log] = await sql.query<{ readonly id: string }>({ text: 'select id from bifold.log' })
          if (log === undefined) throw new Error('bifold.log is empty')
          return { logId: log.id }
        }),
      ),
    appendBatch: async (batch, known, within) => {
      if (within === undefined) {
        const raw = await coded(appendBatch(lane, batch, known, heads), known)
        learnFrom(batch, raw, heads)
        return resultOf(batch, raw, work => coded(work(lane)))
      }
      const { raw, result } = await coded(
        lane.transaction(async sql => {
          const raw = await appendBatch(sql, batch, known, heads)
          const result = await resultOf(batch, raw, work => work(sql))
          const read = async (from: Anchor, types: readonly string[], maxEvents: number) =>
            mustHold(await readTypes(sql, from, types, maxEvents), from)
          await within({ base: raw.base, result, client: sql, read })
          return { raw, result }
        }),
        known,
      )
      learnFrom(batch, raw, heads)
      return result
    },
    readStream: (stream, fromVersion, maxEvents) => coded(readStream(sql, stream, fromVersion, maxEvents)),
    readFromSnapshot: (stream, snapshotVersion, maxEvents) =>
      coded(readFromSnapshot(sql, stream, snapshotVersion, maxEvents)),
    writeSnapshots: snapshots => coded(writeSnapshots(sql, snapshots)),
    versionsOf: streams => coded(readVersions(sql, streams)),
    read: async (from, types, maxEvents, shards) =>
      mustHold(
        await coded(
          types === undefined ? readAll(sql, from, maxEvents) : readTypes(sql, from, types, maxEvents, shards),
        ),
        from,
      ),
    readAt: positions => coded(readAt(sql, positions)),
    head: () => coded(readHead(sql)),
    holds: anchors => coded(holds(sql, anchors)),
    outcomeOf: async (tenant, name, id) => (await coded(readOutcomes(sql, [{ tenant, name, id }])))[0],
    listen: (wake, reconnected) =>
      coded(
        database.listen(
          'bifold_log',
          payload => {
            const head = Number(payload)
            wake(Number.isSafeInteger(head) && payload !== '' ? head : undefined)
          },
          reconnected,
        ),
      ),
    close: () => lane.close(),
  }
}

/** With the outcomes of repeated commands, which are looked up by `ask`. */
async function resultOf(
  batch: readonly EncodedAppend[],
  { recordedAt, verdicts, head }: RawResult,
  ask: <T>(work: (sql: Sql) => Promise<T>) => Promise<T>,
): Promise<BatchResult> {
  const repeated = batch.filter((_, index) => verdicts[index]?.kind === 'repeated')
  const commands = repeated.map(({ stream, command }) => ({ tenant: stream.tenant, ...command }))
  const outcomes = repeated.length === 0 ? [] : await ask(sql => readOutcomes(sql, commands))
  let next = 0
  return {
    recordedAt,
    head,
    verdicts: verdicts.map((verdict): Verdict => {
      if (verdict.kind !== 'repeated') return verdict
      const outcome = outcomes[next++]
      // Pruned between the two statements: what was carried out so long ago is not to be had any more.
      if (outcome === undefined) throw new BifoldError('log/connection-lost', { problem: 'a command was pruned' })
      return { kind: 'repeated', outcome }
    }),
  }
}

/** Class 22: data it cannot take. Class 54: beyond its limits. 23514: a check that somebody put on the table. */
const refusedStates = /^(22...|54...|23514)$/
const rewoundState = 'BF001'

function codeOf(error: unknown, database: Database, known: Anchor | undefined): unknown {
  const cause = error
  if (database.isConnectionLost(error)) {
    return new BifoldError('log/connection-lost', { problem: (error as Error).message }, { cause })
  }
  const sqlState = sqlStateOf(error)
  if (sqlState === undefined) return error
  if (sqlState === rewoundState) return new BifoldError('log/rewound', { position: known?.position ?? 0 }, { cause })
  const problem = (error as Error).message
  // The message of a refused document may quote it.
  if (refusedStates.test(sqlState)) {
    return new BifoldError('log/document-refused', { problem: `SQLSTATE ${sqlState}` }, { cause })
  }
  return new BifoldError('log/storage-failed', { sqlState, problem }, { cause })
}
