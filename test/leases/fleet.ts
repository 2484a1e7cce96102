import { createLog, type EventLog, type LogStorage } from '../../src/log/index.ts'
import { openPostgres, postgresLogStorage, postgresViewStore } from '../../src/postgres/index.ts'
import { type ShardCheckpoint, type View, viewShapeOf } from '../../src/project/index.ts'
import { spawnWorker, type Worker } from '../support/workers.ts'
import { Marks, tallyOf } from './tally.ts'

/** A process of a fleet that carries projections on. */
export interface Carrier extends Worker {
  /** The shards that it says it carries on. */
  held(): readonly number[]
  /** Resolves when it says so of these, or of so many. */
  holds(which: readonly number[] | number): Promise<void>
  /** Sends a signal, and waits for nothing. */
  signal(signal: NodeJS.Signals): void
}

/** Processes on one PostgreSQL that divide the shards of a view, and what the test itself sees and writes of it. */
export interface Fleet {
  start(leaseMs: number, poison?: 'stop' | 'block' | 'slow' | 'slow-key'): Carrier
  /** Appends so many events to every stream. Answers the log's head then. */
  mark(rounds?: number): Promise<number>
  /** Appends events to the stream of this number that do to a process what it was started with. */
  poison(stream: number, count?: number): Promise<number>
  checkpoints(): Promise<readonly ShardCheckpoint[]>
  /** Waits until every shard has reached the position. */
  reached(position: number): Promise<void>
  /** The rows as they are stored, and as they should be. */
  rows(): Promise<{ readonly found: readonly unknown[]; readonly expected: readonly unknown[] }>
  close(): Promise<void>
}

const streams = Array.from({ length: 60 }, (_, n) => `s${n}`)

export async function openFleet(url: string): Promise<Fleet> {
  const { Totals, tally } = tallyOf()
  const database = await openPostgres(url)
  const storage: LogStorage = postgresLogStorage(database)
  const log: EventLog = await createLog(storage, { eventTypes: tally.eventTypes })
  const store = postgresViewStore(database)
  const view: View = await store.open(viewShapeOf(Totals))
  const expected = new Map<string, { sum: number; count: number; last: readonly number[] }>()
  const streamOf = (id: string) => ({ tenant: 'default', category: 'mark', id })
  const pause = () => new Promise(resolve => setTimeout(resolve, 10))
  const headPosition = async (): Promise<number> => (await log.head()).position
  return {
    start: (leaseMs, poison) => {
      const args = [url, String(leaseMs), ...(poison === undefined ? [] : [poison])]
      return carrierOf(spawnWorker(import.meta.url, './projector-process.ts', args))
    },
    mark: async (rounds = 1) => {
      for (let round = 0; round < rounds; round++) {
        await Promise.all(
          streams.map(async (id, by) => {
            await log.append({ stream: streamOf(id), expected: 'any', events: [Marks.Marked({ by })] })
            const row = expected.get(id) ?? { sum: 0, count: 0, last: [] }
            expected.set(id, { sum: row.sum + by, count: row.count + 1, last: [...row.last, by].slice(-3) })
          }),
        )
      }
      return headPosition()
    },
    poison: async (stream, count = 1) => {
      const id = streams[stream] as string
      await log.append({
        stream: streamOf(id),
        expected: 'any',
        events: Array.from({ length: count }, () => Marks.Poisoned({})),
      })
      return headPosition()
    },
    checkpoints: () => view.checkpoints(),
    reached: async position => {
      while ((await view.checkpoints()).some(shard => shard.position < position)) await pause()
    },
    rows: async () => {
      const { value } = await view.get(streams.map(key => ({ tenant: 'default', key })))
      return {
        found: value.map(doc => JSON.parse(doc ?? 'null') as unknown),
        expected: streams.map(id => expected.get(id) ?? null),
      }
    },
    close: async () => {
      await log.close()
      await store.close()
      await database.close()
    },
  }
}

function carrierOf(worker: Worker): Carrier {
  const shardsOf = (line: string): readonly number[] =>
    line
      .slice('held '.length)
      .split(',')
      .filter(shard => shard !== '')
      .map(Number)
  const held = (): readonly number[] => shardsOf(worker.lines.findLast(line => line.startsWith('held ')) ?? 'held ')
  return {
    ...worker,
    held,
    holds: async which => {
      const isMet = (shards: readonly number[]): boolean =>
        typeof which === 'number' ? shards.length === which : String(shards) === String(which)
      if (isMet(held())) return
      const seen = worker.lines.length
      let at = 0
      await worker.line(line => {
        at++
        return at > seen && line.startsWith('held ') && isMet(shardsOf(line))
      })
    },
    signal: signal => process.kill(worker.pid, signal),
  }
}
