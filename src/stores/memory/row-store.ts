import {
  type DeletedRow,
  type LoadedRow,
  type RowStore,
  type Rows,
  type RowVersion,
  type RowWrites,
  rowId,
  type Tombstone,
  type Upsert,
  type ViewShape,
} from '../../project/index.ts'
import { loadedFrom } from './loaded-from.ts'
import { pagesOf } from './pages.ts'
import { dependentsOf } from './referred.ts'
import { scanned } from './scan.ts'

/** Keeps rows in this process's memory, as a database without transactions does: the readable specification of a `RowStore`. */
export function memoryRowStore(): RowStore {
  const kept = new Map<string, Map<number, Kept>>()
  const of = (projection: string): Map<number, Kept> => {
    const own = kept.get(projection) ?? new Map<number, Kept>()
    kept.set(projection, own)
    return own
  }
  return {
    kind: 'memory',
    open: async (shape, generation) => {
      const own = of(shape.projection.name)
      const found = own.get(generation) ?? makeRows(shape)
      own.set(generation, found)
      return found.rows
    },
    generations: async projection => [...of(projection).keys()],
    drop: async (projection, generation) => {
      of(projection).get(generation)?.drop()
      of(projection).delete(generation)
    },
    close: async () => undefined,
  }
}

interface Kept {
  readonly rows: Rows
  drop(): void
}

/** What is stored under a key. */
type Stored = Pick<RowWrites, 'version' | 'madeAt'> & ({ readonly upsert: Upsert } | { readonly tombstone: DeletedRow })

function makeRows({ projection: { shards }, columns }: ViewShape): Kept {
  let isDropped = false
  const stored = new Map<string, Stored>()
  const all = (): readonly Upsert[] => [...stored.values()].flatMap(one => ('upsert' in one ? [one.upsert] : []))
  const rows = (): ReadonlyMap<string, Upsert> => new Map(all().map(row => [rowId(row), row]))
  const put = (one: Stored): void => {
    const id = rowId('upsert' in one ? one.upsert : one.tombstone)
    const there = stored.get(id)
    if (!isDropped && (there === undefined || isNewer(one.version, there.version))) stored.set(id, one)
  }
  const own: Rows = {
    load: async keys =>
      new Map(
        keys.map(rowId).flatMap(id => {
          const one = stored.get(id)
          return one === undefined ? [] : [[id, loaded(one)] as const]
        }),
      ),
    write: async ({ version, madeAt, upserts, deletes }) => {
      for (const { madeAt: own = madeAt, ...upsert } of upserts) put({ version, madeAt: own, upsert })
      for (const { madeAt: own = madeAt, ...tombstone } of deletes) put({ version, madeAt: own, tombstone })
    },
    get: async keys => {
      const found = rows()
      return keys.map(key => found.get(rowId(key))?.doc ?? null)
    },
    list: async scan => scanned(all(), columns, scan),
    dependents: async query => dependentsOf({ rows: rows(), shards }, query),
    pages: () => pagesOf(all(), columns),
  }
  return {
    rows: own,
    drop: () => {
      isDropped = true
      stored.clear()
    },
  }
}

function loaded(one: Stored): LoadedRow | Tombstone {
  const { madeAt } = one
  return 'upsert' in one
    ? { ...loadedFrom(one.upsert), madeAt }
    : { position: one.tombstone.position, doc: null, madeAt }
}

function isNewer(one: RowVersion, other: RowVersion): boolean {
  return one.epoch > other.epoch || (one.epoch === other.epoch && one.number > other.number)
}
