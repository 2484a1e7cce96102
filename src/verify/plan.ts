import { isDeepStrictEqual } from 'node:util'
import type { AnyProjection, Column } from '../define/index.ts'
import { type Anchor, type Runtime, systemRuntime } from '../log/index.ts'
import {
  type Generation,
  type KeyFailure,
  mustFold,
  type RowKey,
  rowId,
  type View,
  type ViewShape,
  viewShapeOf,
} from '../project/index.ts'
import { compareGroups, type PlannedCounts, type PlannedRollups } from './compare-groups.ts'
import { type Estimate, type Estimating, makeEstimate } from './estimate.ts'
import { type Change, changesOf } from './explain.ts'
import { compareKeys } from './fold-in-passes.ts'
import { leftOf } from './left-of.ts'
import { allBuckets } from './pass.ts'
import { makeScale } from './scale.ts'
import { type SidesContext, sideBySide } from './side-by-side.ts'
import { keepFirst, makeTurns } from './turns.ts'
import type { Verifiable } from './verifiable.ts'

export interface PlanOptions {
  /** Rows, and groups of rollups, that are given of those that would change; all are counted. Default 20. */
  readonly maxSamples?: number
  /**
   * Memory for the rows of both, as they are and as they would be. Where they are more, a part of them is looked at after the
   * other, each as of a snapshot of its own. Default 1 GiB.
   */
  readonly maxBytes?: number
  /** Events that are read and folded at once. Default 5000. */
  readonly batchEvents?: number
  readonly runtime?: Pick<Runtime, 'turn' | 'elapsed'>
  /**
   * All projections of the app as it would be deployed, this one among them. Where another one begins to refer to its rows,
   * it gets a generation that keeps what they were. Default: none refers to it.
   */
  readonly projections?: readonly AnyProjection[]
}

/** What a definition would make of a view. */
export interface Plan {
  readonly projection: string
  readonly version: number
  /** The generation that serves, which was compared; `null` where the view is new. */
  readonly generation: number | null
  /**
   * Would deploying it build a new generation? Where not, its version, columns and shards are those of one that there is:
   * rows that no event touches any more would stay as they are. Raise the version.
   */
  readonly builds: boolean
  /**
   * Up to where the log was folded: where each shard of the generation that serves stood; where the rows are looked at in
   * several parts, for the first of them.
   */
  readonly asOf: readonly Anchor[]
  readonly rows: PlannedCounts
  /** Keys that stand still in the generation that serves, and would again. Their rows count, and are not compared. */
  readonly parkedKeys: number
  /** The first rows that would change, in the order of tenants and keys. */
  readonly samples: readonly PlannedRow[]
  /** How the columns would change. */
  readonly columns: {
    readonly added: readonly string[]
    readonly removed: readonly string[]
    /** Of another type, or newly or no longer nullable. */
    readonly changed: readonly string[]
  }
  /**
   * How the sums over its rows would change: those of the rollups that both have. They are compared as of a snapshot that is
   * later than `asOf`, or of several where they are many.
   */
  readonly rollups: PlannedRollups
  readonly takes: Estimate
}

/** A row that would change. */
export interface PlannedRow extends RowKey {
  readonly kind: 'changed' | 'added' | 'removed'
  /** As it is. */
  readonly before: unknown
  /** As it would be. */
  readonly after: unknown
  readonly changed: readonly Change[]
}

/**
 * What would become of a view if `projection` were deployed as it is defined now? Folds the log aside to where the
 * generation stands that serves, and compares its rows, and the sums of its rollups. It reads, makes nothing, and stops
 * nothing.
 *
 * @param on a running system, or a log and a store of views.
 * @throws `verify/too-large` where one of 4096 parts of the rows alone is more than `maxBytes`, or one of the groups of rollups
 * more than half of it · `log/rewound` where the view was made from another history · `project/fold-failed`,
 * `project/invalid-row` or `project/invalid-key` where the definition fails on an event of a key that is not parked as it is.
 */
export async function plan(on: Verifiable, projection: AnyProjection, options: PlanOptions = {}): Promise<Plan> {
  mustFold(projection, 'planned')
  const { maxSamples = 20, maxBytes = 2 ** 30, batchEvents = 5000, runtime = systemRuntime } = options
  const shape = viewShapeOf(projection, options.projections)
  const activeOf = async (name: string): Promise<Generation | undefined> =>
    (await on.views.generations(name)).find(({ active }) => active)
  const servingOf = async (name: string): Promise<number | undefined> => (await activeOf(name))?.generation
  const serving = await activeOf(projection.name)
  const effort = { passes: 0, readMs: 0, foldMs: 0 }
  const standing = keepStanding()
  const context: SidesContext = {
    ...{ log: on.log, shape, batchEvents, runtime, effort, onKeyFailure: standing.fails },
    view: serving === undefined ? noneAtHead(on.log) : await viewOf(on, shape, serving),
    scale: makeScale(projection.name, maxBytes),
    // A new generation takes over what is skipped in any other; what is parked is tried again.
    foldedTo: async ({ checkpoints, parked }) => {
      standing.stood(parked)
      return {
        ...{
          parked: [],
          skips: await on.views.skips(projection.name),
          referred: await leftOf(on, projection, servingOf),
        },
        checkpoints: checkpoints.map(({ cursor: _, ...checkpoint }) => checkpoint),
      }
    },
  }
  const estimate = makeEstimate(shape)
  const { asOf, rows, samples } = await compare(context, maxSamples, standing, estimate)
  // Each pass reads the log anew, and folds a part of it. Those for the sums, which come after, are none of building.
  const foldedMs = effort.readMs / effort.passes + effort.foldMs
  const rollups = await compareGroups(context, serving?.sums ?? {}, maxSamples, estimate.addSum)
  return {
    projection: projection.name,
    version: projection.version,
    generation: serving?.generation ?? null,
    builds: (await on.views.known(shape)).length === 0,
    ...{ asOf, rows, samples },
    parkedKeys: standing.count(),
    columns: columnChanges(serving?.columns ?? [], shape.columns),
    rollups,
    takes: estimate.of({ events: Math.max(...asOf.map(({ position }) => position)), foldedMs }),
  }
}

/** Of the keys that stand still, those that still cannot be folded on. A key that fails and did not stand still ends the plan. */
function keepStanding() {
  const stood = new Set<string>()
  const failed = new Set<string>()
  return {
    stood: (parked: readonly RowKey[]): void => {
      for (const key of parked) stood.add(rowId(key))
    },
    fails: (failure: KeyFailure): void => {
      if (!stood.has(rowId(failure))) throw failure.error
      failed.add(rowId(failure))
    },
    has: (id: string): boolean => failed.has(id),
    count: (): number => failed.size,
  }
}

/** The rows that serve now, in their own columns. */
function viewOf({ views }: Verifiable, { projection }: ViewShape, serving: Generation): Promise<View> {
  const { columns, definition, rowShape, generation } = serving
  return views.find({ projection, columns, definition, rowShape }, generation)
}

/** Of a view that is new, no rows, at the log's head. */
function noneAtHead(log: Verifiable['log']): Pick<View, 'snapshot'> {
  async function* nothing(): AsyncGenerator<never> {}
  return {
    snapshot: async read => {
      const checkpoints = [{ shard: 0, epoch: 0, ...(await log.head()) }]
      return read({ checkpoints, parked: [], skips: [], pages: nothing(), sums: nothing() })
    },
  }
}

async function compare(
  context: SidesContext,
  maxSamples: number,
  standing: ReturnType<typeof keepStanding>,
  estimate: Estimating,
): Promise<Pick<Plan, 'asOf' | 'rows' | 'samples'>> {
  const turns = makeTurns(context.runtime)
  const counts = { before: 0, after: 0, same: 0, changed: 0, added: 0, removed: 0 }
  const differing = keepFirst<Differing>(maxSamples, compareKeys)
  let asOf: Plan['asOf'] | undefined
  for await (const { stored, folded, checkpoints } of sideBySide(context, allBuckets)) {
    asOf ??= checkpoints.map(({ position, fingerprint }) => ({ position, fingerprint }))
    counts.before += stored.length
    counts.after += folded.size
    const seen = new Set<string>()
    for (const { tenant, key, doc } of stored) {
      const turn = turns()
      if (turn !== undefined) await turn
      const id = rowId({ tenant, key })
      seen.add(id)
      if (standing.has(id)) continue
      const next = folded.get(id)
      if (next !== undefined && isSame(doc, next.doc)) {
        counts.same++
        continue
      }
      counts[next === undefined ? 'removed' : 'changed']++
      differing.add({ tenant, key, before: doc, ...(next !== undefined && { after: next.doc }) })
    }
    for (const [id, row] of folded) {
      const turn = turns()
      if (turn !== undefined) await turn
      estimate.add(row)
      if (seen.has(id) || standing.has(id)) continue
      counts.added++
      differing.add({ tenant: row.tenant, key: row.key, after: row.doc })
    }
  }
  const samples = differing.all().map(one => plannedRow(one, read(one.before), read(one.after)))
  return { asOf: asOf ?? [], rows: counts, samples }
}

interface Differing extends RowKey {
  readonly before?: string
  readonly after?: string
}

/** The order of a row's properties changes its text and not what it says. */
function isSame(a: string, b: string): boolean {
  return a === b || isDeepStrictEqual(JSON.parse(a), JSON.parse(b))
}

function read(doc: string | undefined): unknown {
  return doc === undefined ? null : JSON.parse(doc)
}

function plannedRow({ tenant, key }: RowKey, before: unknown, after: unknown): PlannedRow {
  const kind = before === null ? 'added' : after === null ? 'removed' : 'changed'
  return { tenant, key, kind, before, after, changed: changesOf(before, after) }
}

function columnChanges(before: readonly Column[], after: readonly Column[]): Plan['columns'] {
  const [had, has] = [before, after].map(columns => new Map(columns.map(column => [column.name, column])))
  const names = (columns: readonly Column[], where: (column: Column) => boolean) =>
    columns.filter(where).map(({ name }) => name)
  return {
    added: names(after, ({ name }) => had?.has(name) === false),
    removed: names(before, ({ name }) => has?.has(name) === false),
    changed: names(after, column => {
      const known = had?.get(column.name)
      return known !== undefined && (known.type !== column.type || known.nullable !== column.nullable)
    }),
  }
}
