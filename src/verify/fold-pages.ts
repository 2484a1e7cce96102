import { BifoldError } from '../define/index.ts'
import { type Anchor, origin, type Page, type Runtime } from '../log/index.ts'
import {
  type Folding,
  type KeyFailure,
  type KnownLetters,
  type LoadedRow,
  makeAside,
  makeRowCache,
  makeTurns,
  prepareBatch,
  type RowKey,
  rowId,
} from '../project/index.ts'
import type { HeldRows } from './held-rows.ts'
import type { Verifiable } from './verifiable.ts'

/** What it took to read and fold, added up. */
export interface Effort {
  passes: number
  readMs: number
  foldMs: number
}

export interface PagesContext {
  readonly log: Verifiable['log']
  readonly batchEvents: number
  readonly runtime: Pick<Runtime, 'turn' | 'elapsed'>
  readonly effort: Effort
  /** Is told which keys cannot be folded on: their rows stay as they were before. Absent: the first one ends it all. */
  readonly onKeyFailure?: (failure: KeyFailure) => void
}

/** Hands `take` the log from its beginning until a page reaches `end`, each page with where it begins. */
export async function readPages(
  { log, batchEvents, runtime, effort }: PagesContext,
  types: readonly string[],
  end: number,
  take: (page: Page, from: Anchor) => Promise<void>,
): Promise<void> {
  let from = origin
  while (from.position < end) {
    const beganMs = runtime.elapsed()
    const page = await log.read(from, { types, maxEvents: batchEvents })
    const readMs = runtime.elapsed()
    if (page.through.position === from.position) throw new BifoldError('log/rewound', { position: end })
    await take(page, from)
    effort.readMs += readMs - beganMs
    effort.foldMs += runtime.elapsed() - readMs
    from = page.through
  }
}

/** Events folded before everything else in the process has its turn. */
const turnEvents = 500
/** Rows held as objects beside their documents, so that one that many events touch is not read again for each batch. */
const cacheBytes = 16 * 2 ** 20

/** Folds pages, one after the other, into those rows that are held: by the code that carries projections on. */
export function makePageFold(
  projection: string,
  folding: Folding,
  known: KnownLetters,
  rows: HeldRows,
  { runtime, onKeyFailure = thrown }: Pick<PagesContext, 'runtime' | 'onKeyFailure'>,
): (page: Page, from: Anchor) => Promise<void> {
  const cache = makeRowCache(cacheBytes)
  cache.clear(true)
  const load = async (keys: readonly RowKey[]): Promise<ReadonlyMap<string, LoadedRow>> => {
    const found = new Map<string, LoadedRow>()
    for (const key of keys) {
      const row = rows.get(key)
      if (row !== undefined) found.set(rowId(key), row)
    }
    return found
  }
  const aside = makeAside(projection, known)
  const turns = makeTurns({ runtime, turnEvents })
  const own: Folding = {
    ...folding,
    route: (events, slotOf, turns) => folding.route(events, slotOf, turns, rows.isOwn),
  }
  return async (page, from) => {
    const batch = await prepareBatch(page, from, { folding: own, view: { load }, cache, aside, turns })
    for (const failure of batch.setAside?.failures ?? []) onKeyFailure(failure)
    if (batch.failure !== undefined) throw batch.failure.error
    for (const { row: _, ...folded } of batch.upserts) rows.set(folded)
    for (const key of batch.deletes) rows.delete(key)
  }
}

function thrown({ error }: KeyFailure): never {
  throw error
}
