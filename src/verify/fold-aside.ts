import { BifoldError } from '../define/index.ts'
import { origin, type Runtime } from '../log/index.ts'
import {
  type Folding,
  makeFolding,
  makeRowCache,
  prepareBatch,
  type RowKey,
  rowId,
  type ShardCheckpoint,
  shardOf,
  type ViewShape,
} from '../project/index.ts'
import type { Verifiable } from './verifiable.ts'

/** A row as the log makes it. */
export interface FoldedRow extends RowKey {
  readonly position: number
  readonly doc: string
}

export interface FoldAsideContext {
  readonly log: Verifiable['log']
  readonly shape: ViewShape
  readonly checkpoints: readonly ShardCheckpoint[]
  readonly batchEvents: number
  readonly runtime: Pick<Runtime, 'turn'>
  /** Is told by how many bytes the rows have grown, and throws where they have become too many. */
  readonly weigh: (bytes: number) => void
}

/** Events folded before everything else in the process has its turn. */
const turnEvents = 500
/** Rows held as objects beside their documents, so that one that many events touch is not read again for each batch. */
const cacheBytes = 16 * 2 ** 20

/**
 * The rows of a view as the log makes them, with each shard folded to its own checkpoint and no event further: by the code
 * that carries projections on, into this process's memory. Answers them by `rowId`.
 */
export async function foldAside(context: FoldAsideContext): Promise<ReadonlyMap<string, FoldedRow>> {
  const { log, shape, checkpoints, batchEvents, runtime, weigh } = context
  await mustHold(log, checkpoints)
  const rows = new Map<string, FoldedRow>()
  const cache = makeRowCache(cacheBytes)
  cache.clear(true)
  const load = async (keys: readonly RowKey[]): Promise<ReadonlyMap<string, string>> =>
    new Map(keys.map(rowId).flatMap(id => (rows.has(id) ? [[id, (rows.get(id) as FoldedRow).doc]] : [])))
  const folding = upToCheckpoints(makeFolding(shape), checkpoints)
  const types = Object.keys(shape.projection.on)
  const end = Math.max(...checkpoints.map(({ position }) => position))
  let cursor = origin
  while (cursor.position < end) {
    const page = await log.read(cursor, { types, maxEvents: batchEvents })
    if (page.through.position === cursor.position) throw new BifoldError('log/rewound', { position: end })
    const batch = await prepareBatch(page, cursor, { folding, view: { load }, cache, runtime, turnEvents })
    if (batch.failure !== undefined) throw batch.failure.error
    for (const { tenant, key, position, doc } of batch.upserts) {
      const id = rowId({ tenant, key })
      weigh(rowBytes(key, doc) - bytesOf(rows.get(id)))
      rows.set(id, { tenant, key, position, doc })
    }
    for (const key of batch.deletes) {
      weigh(-bytesOf(rows.get(rowId(key))))
      rows.delete(rowId(key))
    }
    cursor = page.through
  }
  return rows
}

/** About what a row takes in memory: one byte for each character, and what a map entry and an object cost. */
export function rowBytes(key: string, doc: string): number {
  return doc.length + 2 * key.length + 250
}

function bytesOf(row: FoldedRow | undefined): number {
  return row === undefined ? 0 : rowBytes(row.key, row.doc)
}

/** Leaves out of each shard what lies beyond its checkpoint. */
function upToCheckpoints(folding: Folding, checkpoints: readonly ShardCheckpoint[]): Folding {
  const ends = checkpoints.map(({ position }) => position)
  const end = Math.max(...ends)
  const endOf = (row: RowKey): number => ends[shardOf(row, ends.length)] ?? 0
  return {
    ...folding,
    route: (events, slotOf) => {
      const within = events.filter(({ position }) => position <= end)
      const { routed, ...rest } = folding.route(within, slotOf)
      if (ends.every(one => one === end)) return { routed, ...rest }
      const own = routed.map(({ event, slots }) => ({
        event,
        slots: slots.filter(slot => event.position <= endOf(slot)),
      }))
      return { routed: own, ...rest }
    },
  }
}

/** Is the history that the view was made from this log's? Also lets the log know how far it goes. */
async function mustHold(log: Verifiable['log'], checkpoints: readonly ShardCheckpoint[]): Promise<void> {
  await log.head()
  for (const { position, fingerprint } of checkpoints) {
    if (position > 0 && !(await log.holds({ position, fingerprint })))
      throw new BifoldError('log/rewound', { position })
  }
}
