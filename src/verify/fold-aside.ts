import { BifoldError } from '../define/index.ts'
import type { Anchor } from '../log/index.ts'
import {
  type Folding,
  type Letter,
  makeFolding,
  type RowKey,
  readCursor,
  type ShardCheckpoint,
  type Standing,
  shardOf,
  type ViewShape,
} from '../project/index.ts'
import { makePageFold, type PagesContext, readPages } from './fold-pages.ts'
import { type HeldRows, makeHeldRows } from './held-rows.ts'
import type { Pass } from './pass.ts'
import { presentAside } from './present-aside.ts'
import type { Verifiable } from './verifiable.ts'

/** Parked keys, whose rows are as they were before the event at which each stands; and events that are left out. */
export interface Left {
  readonly parked: readonly Standing[]
  readonly skips: readonly Letter[]
}

/** To where a view is folded, and without what. */
export interface FoldedTo extends Left {
  readonly checkpoints: readonly ShardCheckpoint[]
  /** What is left out of the views whose rows its rows are made with, by the names of their projections. */
  readonly referred: ReadonlyMap<string, Left>
}

export interface FoldAsideContext extends PagesContext {
  readonly shape: ViewShape
}

/**
 * The rows of a pass as the log makes them, with each shard folded to its own checkpoint and no event further: by the code
 * that carries projections on, into this process's memory.
 */
export async function foldAside(context: FoldAsideContext, to: FoldedTo, pass: Pass): Promise<HeldRows> {
  const { log, shape, effort } = context
  const { checkpoints } = to
  effort.passes++
  await mustHold(log, checkpoints)
  const rows = makeHeldRows(pass)
  // Where rows are made with rows of other views, states are folded alone, and the rows are made at the end.
  const { stages, ...folds } = makeFolding(shape)
  const joins = stages?.refKeys !== undefined
  const folding = upToCheckpoints(joins || stages === undefined ? folds : { ...folds, stages }, checkpoints)
  const { name, on } = shape.projection
  const end = Math.max(...checkpoints.map(({ position }) => position))
  await readPages(context, Object.keys(on), end, makePageFold(name, folding, to, rows, context))
  if (joins) await presentAside(context, to, stages, rows, pass)
  return rows
}

/** Leaves out of each shard what lies beyond its checkpoint. */
function upToCheckpoints(folding: Folding, checkpoints: readonly ShardCheckpoint[]): Folding {
  const ends = checkpoints.map(({ position }) => position)
  const end = Math.max(...ends)
  const endOf = (row: RowKey): number => ends[shardOf(row, ends.length)] ?? 0
  return {
    ...folding,
    route: async (events, slotOf, turns, isOwn) => {
      const within = events.filter(({ position }) => position <= end)
      const { routed, ...rest } = await folding.route(within, slotOf, turns, isOwn)
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
  const anchors = checkpoints.flatMap(({ position, fingerprint, cursor }): Anchor[] => {
    return [{ position, fingerprint }, ...(cursor === undefined ? [] : [readCursor(cursor).to])]
  })
  for (const anchor of anchors) {
    if (anchor.position > 0 && !(await log.holds(anchor)))
      throw new BifoldError('log/rewound', { position: anchor.position })
  }
}
