import type { BifoldError } from '../define/index.ts'
import type { Page } from '../log/index.ts'
import {
  decodeRow,
  encodeRow,
  type Folding,
  makeFolding,
  type Row,
  type RowKey,
  readCursor,
  rowId,
  shardOf,
  viewShapeOf,
} from '../project/index.ts'
import type { FoldAsideContext, FoldedTo } from './fold-aside.ts'
import { makePageFold, readPages } from './fold-pages.ts'
import { type FoldedRow, type HeldRows, makeHeldRows } from './held-rows.ts'
import { lastOf } from './last-of.ts'
import type { Pass } from './pass.ts'
import { makeTurns } from './turns.ts'

type JoinStages = NonNullable<Folding['stages']>

/**
 * Makes the rows of folded states and of the rows that they refer to, as of the checkpoint of each shard. Where a part of a
 * shard's next move is made already, a row may as well be as of the end of that.
 *
 * The views referred to are folded side by side, once, and of them only the rows that states of the pass refer to; where the
 * log comes to a position at which a shard stands, that shard's rows are made.
 */
export async function presentAside(
  context: FoldAsideContext,
  to: FoldedTo,
  stages: JoinStages,
  rows: HeldRows,
  pass: Pass,
): Promise<void> {
  const { shape, runtime } = context
  const { refs } = shape.projection
  const turns = makeTurns(runtime)
  const wanted = await wantedBy(stages, refs, rows, pass, turns)
  const projections = new Map(Object.values(refs).map(({ to }) => [to.name, to]))
  // A row referred to that cannot be folded on stands still, and is told of by nobody: it is no row of this view.
  const failing = { runtime, ...(context.onKeyFailure !== undefined && { onKeyFailure: () => undefined }) }
  const folds = Array.from(projections, ([name, projection]) => {
    const held = makeHeldRows(pass, row => wanted.get(name)?.get(rowId(row)))
    const left = to.referred.get(name) ?? {}
    const fold = makePageFold(name, makeFolding(viewShapeOf(projection)), left, held, failing)
    return { name, on: projection.on, held, fold }
  })
  const heldBy = new Map(folds.map(({ name, held }) => [name, held]))
  const rowOf = (ref: string, row: RowKey): FoldedRow | undefined => heldBy.get(refs[ref]?.to.name ?? '')?.get(row)

  /** `undefined`: it cannot be made, which was told. */
  const made = (row: FoldedRow): string | undefined => {
    const { tenant, key, position } = row
    try {
      const doc = docOf(row, stages, rowOf)
      // A row that a rollup cannot take is none that could be made, and is told as such.
      if (context.onKeyFailure !== undefined) stages.contributions?.(decodeRow(doc), () => lastOf(tenant, position))
      return doc
    } catch (error) {
      if (context.onKeyFailure === undefined) throw error
      context.onKeyFailure({ tenant, key, position, event: lastOf(tenant, position), error: error as BifoldError })
      rows.delete(row)
      return undefined
    }
  }
  const standing = new Map(to.parked.map(({ refsAt, ...key }) => [rowId(key), refsAt]))
  const presentAt = async ({ shard, isAhead, parked }: Stop): Promise<void> => {
    if (parked !== undefined) {
      const row = rows.get(parked)
      if (row === undefined) return
      const doc = made(row)
      if (doc !== undefined) rows.set({ ...row, doc, state: row.doc })
      return
    }
    for (const bucket of pass.buckets) {
      for (const row of rows.in(bucket).values()) {
        if (shardOf(row, to.checkpoints.length) !== shard || standing.has(rowId(row))) continue
        const turn = turns()
        if (turn !== undefined) await turn
        // What it refers to has left with it.
        if (!pass.holds(bucket)) break
        const state = row.state ?? row.doc
        const doc = made({ ...row, doc: state })
        if (doc === undefined) continue
        if (!isAhead) rows.set({ ...row, doc, state })
        else if (doc !== row.doc) rows.set({ ...row, ahead: doc })
      }
    }
  }

  for (const letter of to.parked) {
    const row = rows.get(letter)
    if (row !== undefined && letter.refsAt === undefined) rows.set({ ...row, state: row.doc, isAnyDoc: true })
  }
  const stops = stopsOf(to)
  const end = stops.at(-1)?.position ?? 0
  const isWanted = [...wanted.values()].some(({ size }) => size > 0)
  const types = isWanted ? [...new Set(folds.flatMap(({ on }) => Object.keys(on)))] : []
  for (const stop of stops) if (stop.position === 0) await presentAt(stop)
  await readPages(context, types, end, async (page, from) => {
    let at = from
    while (at.position < page.through.position && at.position < end) {
      const through = stops.find(({ position }) => position > at.position) as Stop
      const part = cut(page, at.position, through.position)
      for (const { on, fold } of folds) {
        await fold({ ...part, events: part.events.filter(({ type }) => Object.hasOwn(on, type)) }, at)
      }
      at = part.through
      for (const stop of stops) if (stop.position === at.position) await presentAt(stop)
    }
  })
}

/** Where the rows of a shard are made, as they are, or as they may be ahead of that. */
interface Stop {
  readonly position: number
  readonly shard: number
  readonly isAhead: boolean
  /** Not of a shard, but of this key, which stands still. */
  readonly parked?: RowKey
}

function stopsOf({ checkpoints, parked }: FoldedTo): readonly Stop[] {
  const keys = parked.flatMap(({ refsAt, tenant, key }): Stop[] =>
    refsAt === undefined ? [] : [{ position: refsAt, shard: -1, isAhead: false, parked: { tenant, key } }],
  )
  const shards = checkpoints.flatMap(({ shard, position, cursor }): Stop[] => {
    const own = { position, shard, isAhead: false }
    return cursor === undefined ? [own] : [own, { ...own, position: readCursor(cursor).to.position, isAhead: true }]
  })
  return [...shards, ...keys].sort((a, b) => a.position - b.position || Number(a.isAhead) - Number(b.isAhead))
}

function cut(page: Page, after: number, through: number): Page {
  const events = page.events.filter(({ position }) => position > after && position <= through)
  return through < page.through.position
    ? { ...page, events, through: { position: through, fingerprint: '' } }
    : { ...page, events }
}

/** About what it takes to know that a row is referred to. */
const wantedBytes = 250

/**
 * The rows that states of the pass refer to, of each view by `rowId`, with the first bucket that does. Buckets leave a pass
 * from the last one on: with its bucket, a row leaves that no other one refers to.
 */
async function wantedBy(
  { refKeys }: JoinStages,
  refs: FoldAsideContext['shape']['projection']['refs'],
  rows: HeldRows,
  pass: Pass,
  turns: () => Promise<void> | undefined,
): Promise<ReadonlyMap<string, ReadonlyMap<string, number>>> {
  const wanted = new Map(Object.values(refs).map(({ to }) => [to.name, new Map<string, number>()]))
  const byBucket = new Map<number, { readonly ids: Map<string, number>; readonly id: string }[]>()
  pass.onLeave(bucket => {
    for (const { ids, id } of byBucket.get(bucket) ?? []) ids.delete(id)
    byBucket.delete(bucket)
  })
  for (const bucket of pass.buckets) {
    for (const row of rows.in(bucket).values()) {
      const turn = turns()
      if (turn !== undefined) await turn
      const { tenant, position } = row
      for (const [ref, key] of Object.entries(refKeys?.(decodeRow(row.doc), () => lastOf(tenant, position)) ?? {})) {
        const ids = wanted.get(refs[ref]?.to.name ?? '')
        if (key === null || ids === undefined) continue
        const id = rowId({ tenant, key })
        if (ids.has(id) || !pass.weigh(bucket, wantedBytes + 2 * key.length)) continue
        ids.set(id, bucket)
        const own = byBucket.get(bucket) ?? []
        own.push({ ids, id })
        byBucket.set(bucket, own)
      }
    }
  }
  return wanted
}

function docOf(
  { tenant, doc, position }: FoldedRow,
  { refKeys, present }: JoinStages,
  rowOf: (ref: string, row: RowKey) => FoldedRow | undefined,
): string {
  const state = decodeRow(doc)
  const last = () => lastOf(tenant, position)
  const refs: Record<string, Row | null> = {}
  for (const [ref, key] of Object.entries(refKeys?.(state, last) ?? {})) {
    const found = key === null ? undefined : rowOf(ref, { tenant, key })
    refs[ref] = found === undefined ? null : decodeRow(found.doc)
  }
  return encodeRow(present?.(state, refs, last) ?? state)
}
