import type { AnyProjection, App } from '../define/index.ts'
import type { Runtime } from '../log/index.ts'
import { viewShapeOf } from '../project/index.ts'
import { gather } from './gather.ts'
import type { ReadableView, Source } from './read.ts'
import { groupColumns, groupsOf } from './rollup-groups.ts'
import { createWaits, type Waits } from './waits.ts'

/** A view that queries read, and those who wait for it. */
export interface LiveSource extends Source {
  readonly waits: Waits
}

/** The view of each projection that queries read; another generation of it may come to serve. */
export interface Sources {
  /** Those of these projections, as they are now; where `rollup` is given, the one from which that is read. */
  of(projections: readonly string[], rollup?: string): readonly LiveSource[]
  /** Are these still the ones that serve? */
  areCurrent(sources: readonly LiveSource[]): boolean
  /** From now on, this view serves its projection. Who waits for the one before is let go, to wait for this one. */
  serve(view: ReadableView): void
  /** The view of this projection may have moved. */
  moved(projection: string): void
  /** Ends every wait with `query/closed`. */
  close(): void
}

export interface SourcesOptions {
  readonly app: App
  readonly views: ReadonlyMap<string, ReadableView>
  readonly runtime: Runtime
  readonly gatherKeys: number
  readonly gatherInFlight: number
  readonly pollMs: number
}

export function createSources(options: SourcesOptions): Sources {
  const { app, views, runtime, gatherKeys, gatherInFlight, pollMs } = options
  const current = new Map<string, CurrentSources>()
  const make = (view: ReadableView, projection: AnyProjection): LiveSource => {
    const { columns } = viewShapeOf(projection)
    const gathering = { runtime, maxInFlight: gatherInFlight, maxKeys: gatherKeys }
    const get = gather(view.get, gathering)
    const rollups = Object.keys(projection.rollups).map((name): [string, Source] => {
      const groups = groupsOf(view, name)
      return [name, { view: groups, columns: groupColumns, get: gather(groups.get, gathering) }]
    })
    let withParked: ReadonlySet<number> = new Set()
    const look = async () => {
      const found = await view.checkpoints()
      withParked = new Set(found.flatMap(({ shard, parked = 0 }) => (parked > 0 ? [shard] : [])))
      return found.map(({ position }) => position)
    }
    const hasParked = (shards: readonly number[]): boolean => shards.some(shard => withParked.has(shard))
    const waits = createWaits({ runtime, shards: view.shards, look, hasParked, pollMs })
    return { view, columns, get, rollups: new Map(rollups), waits }
  }
  const serve = (view: ReadableView): void => {
    const projection = app.projections.find(({ name }) => name === view.projection)
    if (projection === undefined) return
    const others = new Map<ReadableView, LiveSource>()
    for (const other of view.sumsFrom?.values() ?? []) {
      if (!others.has(other)) others.set(other, make(other, projection))
    }
    const sums = new Map(
      Array.from(view.sumsFrom ?? [], ([rollup, other]) => [rollup, others.get(other) as LiveSource]),
    )
    const before = current.get(view.projection)
    const rows = make(view, projection)
    current.set(view.projection, { rows, sums, all: [rows, ...others.values()] })
    for (const { waits } of before?.all ?? []) waits.letGo()
  }
  for (const view of views.values()) serve(view)
  return {
    of: (projections, rollup = '') =>
      projections.flatMap(name => {
        const now = current.get(name)
        return now?.sums.get(rollup) ?? now?.rows ?? []
      }),
    areCurrent: sources => sources.every(source => current.get(source.view.projection)?.all.includes(source) === true),
    serve,
    moved: projection => {
      for (const { waits } of current.get(projection)?.all ?? []) waits.moved()
    },
    close: () => {
      for (const { all } of current.values()) for (const { waits } of all) waits.close()
    },
  }
}

/** What queries of one projection read. */
interface CurrentSources {
  readonly rows: LiveSource
  /** The rollups that are read from another generation, by their names. */
  readonly sums: ReadonlyMap<string, LiveSource>
  /** Each once. */
  readonly all: readonly LiveSource[]
}
