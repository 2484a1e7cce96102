import { BifoldError } from '../../define/index.ts'
import { origin, type Runtime, systemRuntime } from '../../log/index.ts'
import {
  type Checkpoint,
  type LoadedRow,
  type LoadProgress,
  lowestOf,
  mustBeFor,
  mustBeWhere,
  rowId,
  type ShardCheckpoint,
  type ShardLoad,
  type Skip,
  type Upsert,
  type View,
  type ViewCommit,
  type ViewShape,
  type ViewStore,
} from '../../project/index.ts'
import { firstReasons, type MemoryLetters, memoryLetters } from './dead-letters.ts'
import { type Appendable, viewInAppend } from './in-append.ts'
import { isOfShape } from './is-of-shape.ts'
import { type MemoryLeases, memoryLeases } from './leases.ts'
import { listeners } from './listeners.ts'
import { loadedFrom } from './loaded-from.ts'
import { inPages, pagesOf } from './pages.ts'
import { asOf, changesOf, dependentsOf, type Joinable, keepPast, prunePast } from './referred.ts'
import { memorySums } from './rollups.ts'
import { scanned } from './scan.ts'

/**
 * Keeps views in this process's memory: the readable specification of a `ViewStore`. They go when the process goes.
 *
 * @param options.runtime leases run out by its clock. Default: the machine's.
 */
export function memoryViewStore({ runtime = systemRuntime }: { readonly runtime?: Runtime } = {}): ViewStore {
  const kept: Kept[] = []
  const active = new Map<string, number>()
  const paused = new Set<string>()
  const moved = listeners()
  const changed = listeners()
  const leases = memoryLeases(runtime, changed.tell)
  const of = (projection: string): readonly Kept[] =>
    kept.filter(({ view, dropped }) => view.projection === projection && !dropped)
  const find = (projection: string, generation: number): Kept | undefined =>
    of(projection).find(({ view }) => view.generation === generation)

  const mustFind = (shape: ViewShape, generation: number): View => {
    const projection = shape.projection.name
    const asked = find(projection, generation)
    if (asked === undefined) throw new BifoldError('project/generation-dropped', { projection, generation })
    mustBeWhere(shape, generation, asked.shape.apart)
    return asked.view
  }
  /** Whatever was skipped, in generations that were dropped too. */
  const skipsOf = (projection: string): readonly Skip[] =>
    firstReasons(kept.filter(({ view }) => view.projection === projection).flatMap(({ skips }) => skips()))

  function make(shape: ViewShape): View {
    const { name } = shape.projection
    const generation = kept.filter(({ view }) => view.projection === name).length + 1
    const letters = memoryLetters(shape.projection.shards, skipsOf(name))
    const made = makeGeneration(
      shape,
      generation,
      letters,
      leases,
      () => moved.tell(name),
      (projection, number) => find(projection, number)?.joinable,
      () => changed.tell(name),
      () => paused.has(name),
    )
    kept.push(made)
    if (!active.has(name)) serve(made)
    changed.tell(name)
    return made.view
  }
  function serve(generation: Kept): void {
    active.set(generation.view.projection, generation.view.generation)
    generation.served = true
    generation.setAside = false
  }

  return {
    kind: 'memory',
    open: async (shape, generation) => {
      mustBeFor('memory', shape.projection)
      const { name } = shape.projection
      if (generation !== undefined) return mustFind(shape, generation)
      const known = of(name).findLast(candidate => isOfShape(candidate.shape, shape))
      return known?.view ?? make(shape)
    },
    find: async (shape, generation) => {
      mustBeFor('memory', shape.projection)
      return mustFind(shape, generation)
    },
    rebuild: async (shape, newest = Number.POSITIVE_INFINITY) => {
      const { name } = shape.projection
      const building = of(name).find(({ served, view }) => !served || view.generation > newest)
      if (building === undefined) return make(shape)
      const { generation } = building.view
      const followed = leases.follows(building.view)
      throw new BifoldError('project/rebuild-running', { projection: name, generation, followed })
    },
    known: async shape =>
      of(shape.projection.name)
        .filter(candidate => isOfShape(candidate.shape, shape))
        .map(({ view }) => view.generation),
    skips: async (name, key) => skipsOf(name).filter(skip => key === undefined || rowId(skip) === rowId(key)),
    generations: async name =>
      Promise.all(
        of(name).map(async ({ shape, view, served, setAside, loads, parked, joinable, refersTo }) => ({
          generation: view.generation,
          version: shape.projection.version,
          shards: view.shards,
          columns: shape.columns,
          definition: shape.definition,
          rowShape: shape.rowShape,
          sums: shape.sums ?? {},
          ...(shape.apart !== undefined && { apart: shape.apart }),
          active: active.get(name) === view.generation,
          served,
          setAside,
          followed: leases.follows(view),
          referredTo: joinable.dependents.size > 0,
          refersTo: Array.from(refersTo, ([projection, generation]) => ({ projection, generation })),
          parked: parked(),
          checkpoints: await view.checkpoints(),
          loads: loads(),
        })),
      ),
    activate: async (name, generation, { withParked = true, byHand = true } = {}) => {
      const next = find(name, generation)
      const serving = find(name, active.get(name) ?? 0)
      if (next === undefined || serving === undefined) return { kind: 'unknown' }
      if (next === serving) return { kind: 'activated' }
      if (next.isLoading()) return { kind: 'loading' }
      const position = Math.max(...serving.checkpoints().map(at => at.position))
      const reached = Math.min(...next.checkpoints().map(at => at.position))
      if (reached < position) return { kind: 'behind', position, reached }
      if (!withParked && next.parked() > serving.parked()) return { kind: 'parked' }
      serve(next)
      serving.setAside = byHand
      changed.tell(name)
      return { kind: 'activated' }
    },
    drop: async (name, generation) => {
      const asked = find(name, generation)
      if (asked === undefined) return 'unknown'
      if (active.get(name) === generation) return 'active'
      if (asked.joinable.dependents.size > 0) return 'in-use'
      asked.drop()
      leases.drop(asked.view)
      for (const { joinable } of kept) joinable.dependents.delete(asked.joinable)
      changed.tell(name)
      return 'dropped'
    },
    pause: async name => {
      paused.add(name)
      for (const generation of of(name)) generation.raiseEpochs()
      changed.tell(name)
    },
    resume: async name => {
      paused.delete(name)
      changed.tell(name)
    },
    paused: async () => new Set(paused),
    reset: async (name, generation) => {
      const asked = find(name, generation)
      if (asked === undefined) return 'unknown'
      asked.reset()
      for (const one of kept) if (asked.joinable.dependents.has(one.joinable)) one.raiseEpochs()
      changed.tell(name)
      moved.tell(name)
      return 'reset'
    },
    onMoved: moved.add,
    beat: async beat => leases.beat(beat),
    leave: async owner => leases.leave(owner),
    onGenerations: changed.add,
    close: async () => {
      moved.clear()
      changed.clear()
    },
  }
}

/** A generation, with what the store alone may do to it. */
interface Kept {
  readonly shape: ViewShape
  readonly view: View
  readonly joinable: Joinable
  /** With which generation of each projection its rows are made. */
  readonly refersTo: ReadonlyMap<string, number>
  served: boolean
  setAside: boolean
  dropped: boolean
  checkpoints(): readonly ShardCheckpoint[]
  isLoading(): boolean
  loads(): readonly ShardLoad[]
  /** How many keys are parked. */
  parked(): number
  skips(): readonly Skip[]
  raiseEpochs(): void
  reset(): void
  drop(): void
}

function makeGeneration(
  shape: ViewShape,
  generation: number,
  dead: MemoryLetters,
  leases: MemoryLeases,
  moved: () => void,
  joinableOf: (projection: string, generation: number) => Joinable | undefined,
  changed: () => void,
  isPaused: () => boolean,
): Kept {
  const { projection, columns } = shape
  const { name, shards } = projection
  const checkpoints = new Map<number, Checkpoint>()
  let changes = 0
  const put = (shard: number, at: Checkpoint): void => {
    checkpoints.set(shard, at)
    changes++
  }
  const rows = new Map<string, Upsert>()
  const loads = new Map<number, LoadProgress>()
  const unloaded = new Set<number>()
  const refOf = (shard: number) => ({ projection: name, generation, shard })
  const mustBeThere = (): void => {
    if (kept.dropped) throw new BifoldError('project/generation-dropped', { projection: name, generation })
  }
  const checkpointOf = (shard: number): Checkpoint => {
    mustBeThere()
    return checkpoints.get(shard) ?? { ...origin, epoch: 0 }
  }
  const all = (): readonly ShardCheckpoint[] =>
    Array.from({ length: shards }, (_, shard) => {
      const parked = dead.countOf(shard)
      const failure = leases.failureOf(refOf(shard))
      return { shard, ...checkpointOf(shard), ...(parked > 0 && { parked }), ...(failure !== undefined && { failure }) }
    })
  const joinable: Joinable = { shards, rows, checkpoints: all, past: [], pastFrom: 0, dependents: new Set() }
  const refersTo = new Map<string, number>()
  const claim = (shard: number): Checkpoint => {
    const { epoch, ...anchor } = checkpointOf(shard)
    const claimed = { ...anchor, epoch: epoch + 1 }
    put(shard, claimed)
    return claimed
  }
  const sums = memorySums(() => lowestOf(all()))
  const write = (commit: ViewCommit): void => {
    const { shard, epoch, to, upserts, deletes, parking, cursor, rollups = [] } = commit
    const at = checkpointOf(shard)
    if (parking !== undefined) dead.write(parking)
    const { position, fingerprint } = to
    const stays = cursor ?? (position === at.position ? at.cursor : undefined)
    put(shard, { epoch, position, fingerprint, ...(stays !== undefined && { cursor: stays }) })
    for (const row of deletes) rows.delete(rowId(row))
    for (const row of upserts) rows.set(rowId(row), row)
    sums.add(shard, rollups)
    keepPast(joinable, commit)
    moved()
  }
  const view: View = {
    projection: name,
    generation,
    shards,
    take: async (shard, owner, leaseMs) => {
      mustBeThere()
      return leases.take(refOf(shard), owner, leaseMs) ? claim(shard) : undefined
    },
    release: async (shard, owner, epoch) => {
      if (!kept.dropped && checkpointOf(shard).epoch === epoch) leases.release(refOf(shard), owner)
    },
    claim: async shard => claim(shard),
    checkpoint: async shard => checkpointOf(shard),
    checkpoints: async () => all(),
    load: async keys => {
      mustBeThere()
      const found = new Map<string, LoadedRow>()
      for (const id of keys.map(rowId)) {
        const row = rows.get(id)
        if (row !== undefined) found.set(id, loadedFrom(row))
      }
      return found
    },
    commit: async commit => {
      const { shard, epoch, from, parking } = commit
      const at = checkpointOf(shard)
      const holds = at.epoch === epoch && at.position === from.position && at.fingerprint === from.fingerprint
      if (!holds) return 'fenced'
      if (parking !== undefined && !dead.hasRoom(parking)) return 'full'
      write(commit)
      return 'committed'
    },
    inAppend: client => viewInAppend(appendable, client),
    loading: async (shard, epoch, progress) => {
      const stands = checkpointOf(shard)
      if (stands.epoch !== epoch || stands.position > 0) return
      const isNew = all().every(({ position }) => position === 0)
      for (const one of isNew ? all().map(at => at.shard) : [shard]) unloaded.add(one)
      loads.set(shard, progress)
    },
    bulkLoad: async ({ pages, rollups, rest, ...load }) => {
      const upserts: Upsert[] = []
      for await (const page of pages) {
        upserts.push(...page)
        await rest?.()
      }
      const hasMoved = ({ position }: Checkpoint): boolean => position > 0
      if ([...joinable.dependents].some(one => one.checkpoints().some(hasMoved))) return 'needs-past'
      const outcome = await view.commit({ ...load, upserts, deletes: [], rollups: rollups?.() ?? [] })
      if (outcome === 'committed') joinable.pastFrom = Math.max(joinable.pastFrom, load.to.position)
      return outcome
    },
    loaded: async shard => {
      loads.delete(shard)
      if (unloaded.delete(shard) && unloaded.size === 0) changed()
    },
    letters: dead.letters,
    get: async keys => {
      const parked = dead.parkedOf(keys)
      return {
        value: keys.map(key => rows.get(rowId(key))?.doc ?? null),
        asOf: lowestOf(all()),
        shards: all().map(({ position, fingerprint }) => ({ position, fingerprint })),
        ...(parked.length > 0 && { parked }),
      }
    },
    list: async scan => ({ asOf: lowestOf(all()), value: scanned([...rows.values()], columns, scan) }),
    rollups: sums.reads,
    snapshot: async read =>
      read({
        checkpoints: all(),
        ...dead.all(),
        pages: pagesOf([...rows.values()], columns),
        sums: inPages(sums.all()),
      }),
    keepsPast: shape.past === true,
    asOf: async (keys, position) => asOf(joinable, keys, position),
    changes: async query => changesOf(joinable, query),
    refersTo: async projection => refersTo.get(projection),
    refer: async to => {
      mustBeThere()
      const known = refersTo.get(to.projection)
      if (known !== undefined) return known
      const referred = joinableOf(to.projection, to.generation)
      if (referred === undefined) throw new BifoldError('project/generation-dropped', to)
      referred.dependents.add(joinable)
      refersTo.set(to.projection, to.generation)
      return to.generation
    },
    dependents: async query => dependentsOf(joinable, query),
    prune: async limit => prunePast(joinable, limit),
  }
  const appendable: Appendable = {
    checkpoint: () => checkpointOf(0),
    changes: () => changes,
    isDropped: () => kept.dropped,
    isLoading: () => unloaded.has(0),
    ...{ isPaused, dead, load: view.load, write },
  }
  const kept: Kept = {
    shape,
    view,
    joinable,
    refersTo,
    served: false,
    setAside: false,
    dropped: false,
    checkpoints: all,
    isLoading: () => unloaded.size > 0,
    parked: () => dead.all().parked.length,
    loads: () => Array.from(loads, ([shard, progress]) => ({ shard, ...progress })),
    skips: dead.skips,
    raiseEpochs: () => {
      for (const { shard } of all()) claim(shard)
    },
    reset: () => {
      for (const { shard, epoch } of all()) put(shard, { ...origin, epoch: epoch + 1 })
      rows.clear()
      sums.clear()
      joinable.past.length = 0
      dead.clear()
    },
    drop: () => {
      kept.dropped = true
      changes++
      dead.clear()
      rows.clear()
      sums.clear()
    },
  }
  return kept
}
