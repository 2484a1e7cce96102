import { type AnyProjection, BifoldError } from '../define/index.ts'
import type { RowStore, Rows, RowVersion, RowWrites } from './row-store.ts'
import type { Upsert, View, ViewCommit, ViewShape, ViewStore } from './store.ts'
import { lowestOf } from './store.ts'

export interface RowsApartOptions {
  /** Whose rows are apart; those of all others stay with the checkpoints. Default: of every projection. */
  readonly isApart?: (projection: AnyProjection) => boolean
}

/**
 * Keeps the rows of views in a database without transactions, and all else of them in one that has some: generations,
 * checkpoints, leases and dead letters. Rows are written first, each on condition that what is stored is not newer, and then
 * the checkpoint moves, under its fence. So rows may be ahead of their checkpoint, and never behind it.
 *
 * @param store keeps everything but the rows. Closing what this answers closes both.
 * @throws on opening a view that needs its rows in the transaction of the checkpoint: `project/needs-transactions`.
 */
export function rowsApart(
  store: ViewStore,
  rows: RowStore,
  { isApart = () => true }: RowsApartOptions = {},
): ViewStore {
  const apart = async (shape: ViewShape, view: View): Promise<View> =>
    shape.apart === undefined ? view : viewApart(view, await rows.open(shape, view.generation))
  /** The shape as new generations of it are made. */
  const placed = (shape: ViewShape): ViewShape => {
    if (!isApart(shape.projection)) return shape
    const purpose = inTransaction(shape)
    if (purpose !== undefined) throw needsTransactions(shape.projection.name, rows.kind, purpose)
    return { ...shape, apart: rows.kind }
  }
  /** The shape with the place where a generation has its rows, if these are here. */
  const found = async (shape: ViewShape, generation: number): Promise<ViewShape> => {
    const all = await store.generations(shape.projection.name)
    const isHere = all.find(one => one.generation === generation)?.apart === rows.kind
    return isHere ? { ...shape, apart: rows.kind } : shape
  }
  /** Drops rows of generations that are not there any more: whoever dropped one has died in between. */
  const sweep = async (projection: string): Promise<void> => {
    const found = await rows.generations(projection)
    if (found.length === 0) return
    const kept = new Set((await store.generations(projection)).map(({ generation }) => generation))
    for (const generation of found) if (!kept.has(generation)) await rows.drop(projection, generation)
  }
  return {
    ...store,
    open: async (shape, generation) => {
      const own = generation === undefined ? placed(shape) : await found(shape, generation)
      // What is left of a generation of this number was made from another history.
      if (own.apart !== undefined) await sweep(shape.projection.name)
      return apart(own, await store.open(own, generation))
    },
    find: async (shape, generation) => {
      const own = await found(shape, generation)
      return apart(own, await store.find(own, generation))
    },
    rebuild: async (shape, newest) => {
      const own = placed(shape)
      if (own.apart !== undefined) await sweep(shape.projection.name)
      return apart(own, await store.rebuild(own, newest))
    },
    known: async shape => store.known(isApart(shape.projection) ? { ...shape, apart: rows.kind } : shape),
    drop: async (projection, generation) => {
      const outcome = await store.drop(projection, generation)
      if (outcome === 'dropped' || outcome === 'unknown') await sweep(projection)
      return outcome
    },
    reset: async (projection, generation) => {
      const all = await store.generations(projection)
      const isHere = all.some(one => one.generation === generation && one.apart !== undefined)
      if (isHere) throw needsTransactions(projection, rows.kind, 'emptying a generation; rebuild it instead')
      return store.reset(projection, generation)
    },
    close: async () => {
      await rows.close()
      await store.close()
    },
  }
}

/** What a view does in the transaction that moves its checkpoint; `undefined` where that is nothing but writing rows. */
function inTransaction({ projection, past }: ViewShape): string | undefined {
  const { batch, commit, rollups } = projection
  if (batch !== undefined) return 'a projection by batches'
  if (commit === 'with-append') return 'committing with the append'
  if (past === true) return 'keeping what rows were for the views that refer to them'
  return Object.keys(rollups).length > 0 ? 'a rollup' : undefined
}

function needsTransactions(projection: string, store: string, purpose: string): BifoldError {
  return new BifoldError('project/needs-transactions', { projection, store, purpose })
}

function viewApart(view: View, rows: Rows): View {
  const { inAppend: _, native: __, ...base } = view
  const isHeld = async ({ shard, epoch, from }: Pick<ViewCommit, 'shard' | 'epoch' | 'from'>): Promise<boolean> => {
    const at = await base.checkpoint(shard)
    return at.epoch === epoch && at.position === from.position && at.fingerprint === from.fingerprint
  }
  /** How many writes there were under the epoch of each shard. */
  const counts = new Map<number, RowVersion>()
  const next = ({ shard, epoch }: Pick<ViewCommit, 'shard' | 'epoch'>): RowVersion => {
    const last = counts.get(shard)
    const version = { epoch, number: last?.epoch === epoch ? last.number + 1 : 1 }
    counts.set(shard, version)
    return version
  }
  return {
    ...base,
    mayBeAhead: true,
    load: rows.load,
    commit: async ({ upserts, deletes, ...commit }) => {
      // That saves work, and protects nothing: the version of each row does, and then the commit.
      if (!(await isHeld(commit))) return 'fenced'
      const { to, madeAt = to.position } = commit
      if (upserts.length > 0 || deletes.length > 0) {
        await rows.write({ version: next(commit), madeAt, upserts, deletes })
      }
      return base.commit({ ...commit, upserts: [], deletes: [] })
    },
    bulkLoad: async ({ pages, deletes, ...load }) => {
      if (!(await isHeld(load))) return 'fenced'
      const write = async (writes: Partial<Pick<RowWrites, 'upserts' | 'deletes'>>): Promise<void> => {
        await load.rest?.()
        await rows.write({ version: next(load), madeAt: load.to.position, upserts: [], deletes: [], ...writes })
      }
      for await (const upserts of pages) await write({ upserts })
      const deleted = deletes?.() ?? []
      for (let at = 0; at < deleted.length; at += pageRows) await write({ deletes: deleted.slice(at, at + pageRows) })
      return base.bulkLoad({ ...load, pages: none() })
    },
    get: async keys => {
      const read = await base.get(keys)
      return { ...read, value: await rows.get(keys) }
    },
    list: async scan => {
      const asOf = lowestOf(await base.checkpoints())
      return { asOf, value: await rows.list(scan) }
    },
    snapshot: async read => {
      const value = await base.snapshot(snapshot => read({ ...snapshot, pages: rows.pages() }))
      // Where the generation was dropped meanwhile, rows were missing.
      await base.checkpoints()
      return value
    },
    dependents: rows.dependents,
  }
}

/** Deleted rows of a bulk load that are written at once. */
const pageRows = 500

async function* none(): AsyncGenerator<readonly Upsert[]> {}
