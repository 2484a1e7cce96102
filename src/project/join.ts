import type { BifoldError, Position, RecordedEvent } from '../define/index.ts'
import { type Anchor, type EventLog, fingerprintOf, type Page, type Runtime } from '../log/index.ts'
import { cutPage, pastKnownFrom, type Reach } from './cut-page.ts'
import type { Slot } from './fold.ts'
import { type LastEvent, unreadEvent } from './folded-at.ts'
import type { JoinLimits } from './join-limits.ts'
import type { RefKeys } from './ref-keys.ts'
import type { ChangedRow, Changes } from './referred.ts'
import { makeReferredRows, type ReferredRows } from './referred-rows.ts'
import type { RefRows } from './stages.ts'
import { type RowKey, rowId, type View } from './store.ts'
import type { Turns } from './turns.ts'
import { type ChangedRef, type Walked, type WalkPoint, walkDependents } from './walk-dependents.ts'

/** A view to whose rows others refer. */
export interface ReferredView {
  /** The names of the refs that lead to it. */
  readonly refs: readonly string[]
  readonly view: Pick<View, 'projection' | 'asOf' | 'changes'>
  /** The types of the events that it folds. */
  readonly types: readonly string[]
}

/** What `present` gets for a state, or why it gets nothing. */
export type Joined =
  | { readonly keys: RefKeys; readonly rows: RefRows; readonly error?: undefined }
  | { readonly error: BifoldError }

export interface JoinContext {
  readonly referred: readonly ReferredView[]
  readonly refKeys: (state: NonNullable<Slot['state']>, last: LastEvent) => RefKeys
  readonly turns: Turns
  readonly dependents: View['dependents']
  readonly shard: number
  readonly log: Pick<EventLog, 'read' | 'readAt'>
  readonly runtime: Runtime
  readonly limits: JoinLimits
  /** Characters of rows referred to that are kept, of each view. Default a few million. */
  readonly maxRefChars?: number
  /** Calls `listener` with the name of a view that may have moved. */
  readonly onMoved: (listener: (projection: string) => void) => () => void
}

const unlimited = 2 ** 30

/** How the rows of a shard are made with rows of other views, in one session. */
export interface Join {
  /**
   * What of a page can be taken now: up to where the views referred to are, and as far as not too many of their rows
   * changed. Empty where one of them is behind, also behind the position from which on the past is known in all of them.
   * `isWhole`: all of it, however much changed.
   */
  cut(page: Page, from: Anchor, isWhole: boolean): Promise<Page>
  /** The view that is furthest behind, as the last cut found them. */
  furthestBehind(): string
  /** Resolves when a view may have moved since the last cut, or the signal aborts. */
  moved(signal: AbortSignal): Promise<void>
  /** May there be late changes for who stands at the head? */
  mayBeLate(): boolean
  /**
   * Looks for late changes of rows referred to, where the view stands at the head: they count from its next event on, which
   * may be long in coming. Answers whether there are any that this session has not seen; then `walk` finds what refers to
   * them, and `rowsFor` what they are, up to this position.
   */
  late(at: Anchor): Promise<boolean>
  /**
   * What the states of slots refer to as of `position`, which lies within the page that was cut last: all of one position. As
   * of one that is not known in every view any more, that is the first at which all are.
   */
  rowsFor(
    slots: readonly Slot[],
    position: Position,
    lastOf: (slot: Slot) => LastEvent,
  ): Promise<ReadonlyMap<Slot, Joined>>
  /** Rows that refer to rows that changed within the page that was cut last, up to `position`. */
  walk(position: Position, limit: () => number, after?: WalkPoint): AsyncGenerator<Walked>
  /** Where rows that a state refers to changed, of what the page cut last has: in order, up to `position`. */
  changesOf(slot: Slot, position: Position): readonly Position[]
  eventAt(position: Position): Promise<RecordedEvent>
  /** Of which position rows are that `rowsFor` gives for `position`. */
  madeAt(position: Position): Position
  /** What is kept of each view referred to. */
  kept(): readonly ReturnType<ReferredRows['kept']>[]
  close(): void
}

/** As much of it as rows need that events touch. */
export type JoinedRows = Pick<Join, 'rowsFor' | 'changesOf' | 'eventAt' | 'madeAt'>

export function makeJoin({ shard, log, runtime, limits, maxRefChars, onMoved, ...context }: JoinContext): Join {
  const referred = context.referred.map(one => ({
    ...one,
    rows: makeReferredRows(one.view, maxRefChars),
    changed: [] as readonly ChangedRow[],
    // Who was parked before this session and goes on in it changes late.
    isHeld: true,
    seenLate: new Map<string, string | null>(),
  }))
  const names = new Set(referred.map(({ view }) => view.projection))
  /** As of positions before this one it is not known what every row of every view was: rows are as of it then. */
  let pastFrom: Position = 0
  /** Behind here is the page that was cut last, and what changed. */
  let cutAt: Position = 0
  let lowest = ''
  let moves = 0
  let movesAtCut = 0
  let wake = (): void => undefined
  const stopListening = onMoved(name => {
    if (!names.has(name)) return
    moves++
    wake()
  })

  /**
   * A view is as far as its checkpoint, and beyond it up to its next event: a checkpoint that is moved seldom over events that
   * concern nobody holds up nobody.
   */
  async function reachOf(one: (typeof referred)[number], page: Page, from: Anchor, limit: number): Promise<Reach> {
    const { view, types } = one
    const found = await view.changes({ after: from.position, through: page.through.position, limit })
    const changes = found.changed.length < limit ? found : await endingAtEvent(found)
    const { heldAt = page.through } = changes
    // Who passes an event of a parked key sees here that it is parked.
    if (changes.heldAt !== undefined) one.isHeld = true
    if (changes.asOf.position >= page.through.position) return { ...changes, limit }
    // A shard at its beginning may be loaded in bulk, and would then not say what changed: nobody may be past it before.
    if (!page.atHead || changes.asOf.position === 0) return { ...changes, limit }
    const next = await log.read(changes.asOf, { types, maxEvents: 1 })
    const reaches = (next.events[0]?.position ?? next.through.position + 1) > page.through.position
    if (!reaches) return { ...changes, limit }
    // A parked key that goes on changes late, behind its shard's checkpoint: nobody may be there before.
    return { ...changes, limit, asOf: heldAt.position < page.through.position ? heldAt : page.through }
  }

  /** A page may be cut at the last change: where that is a late one, at the event that has its position by now. */
  async function endingAtEvent<T extends Changes>(found: T): Promise<T> {
    const last = found.changed.at(-1)
    if (last === undefined || last.fingerprint !== '') return found
    const [event] = await log.readAt([last.position])
    if (event === undefined) return found
    return { ...found, changed: [...found.changed.slice(0, -1), { ...last, fingerprint: fingerprintOf(event.id) }] }
  }

  async function lateOf(one: (typeof referred)[number], at: Anchor): Promise<readonly ChangedRow[]> {
    if (!one.isHeld) return []
    const everything = { after: at.position, through: Number.MAX_SAFE_INTEGER, limit: unlimited }
    const { changed, heldAt } = await one.view.changes(everything)
    one.isHeld = heldAt !== undefined
    const late = changed.filter(({ fingerprint }) => fingerprint === '')
    const docs = late.length === 0 ? undefined : await one.view.asOf(late, at.position)
    const before = one.seenLate
    one.seenLate = new Map(late.map(row => [rowId(row), docs?.get(rowId(row)) ?? null]))
    return late.filter(row => before.get(rowId(row)) !== one.seenLate.get(rowId(row)))
  }

  const madeAt = (position: Position): Position => Math.max(position, pastFrom)

  return {
    cut: async (page, from, isWhole) => {
      movesAtCut = moves
      cutAt = from.position
      const limit = isWhole ? unlimited : limits.maxChangedRefs
      const reaches = await Promise.all(referred.map(one => reachOf(one, page, from, limit)))
      const least = Math.min(...reaches.map(({ asOf }) => asOf.position))
      lowest = referred[reaches.findIndex(({ asOf }) => asOf.position === least)]?.view.projection ?? ''
      for (const [n, { changed }] of reaches.entries()) (referred[n] as (typeof referred)[number]).changed = changed
      pastFrom = pastKnownFrom(reaches)
      return cutPage(page, from, reaches)
    },
    furthestBehind: () => lowest,
    moved: signal => {
      if (moves !== movesAtCut || signal.aborted) return Promise.resolve()
      return new Promise(resolve => {
        const done = (): void => {
          cancel()
          signal.removeEventListener('abort', done)
          wake = () => undefined
          resolve()
        }
        const cancel = runtime.after(limits.refPollMs, done)
        signal.addEventListener('abort', done)
        wake = done
      })
    },
    mayBeLate: () => referred.some(({ isHeld }) => isHeld),
    late: async at => {
      const found = await Promise.all(referred.map(one => lateOf(one, at)))
      for (const [n, late] of found.entries()) {
        const one = referred[n] as (typeof referred)[number]
        one.changed = late.map(row => ({ ...row, position: at.position }))
        if (late.length > 0) one.rows = makeReferredRows(one.view, maxRefChars)
      }
      return found.some(late => late.length > 0)
    },
    rowsFor: async (slots, through, lastOf) => {
      const position = madeAt(through)
      const keysOf = new Map<Slot, RefKeys>()
      const joined = new Map<Slot, Joined>()
      await context.turns.over('refs', slots, slot => {
        if (slot.state == null) return
        try {
          keysOf.set(slot, context.refKeys(slot.state, lastOf(slot)))
        } catch (error) {
          joined.set(slot, { error: error as BifoldError })
        }
      })
      const found = new Map<string, ReadonlyMap<string, RefRows[string]>>()
      for (const { refs, rows, changed } of referred) {
        const wanted: RowKey[] = []
        for (const [{ tenant }, keys] of keysOf) {
          for (const ref of refs) if (keys[ref] != null) wanted.push({ tenant, key: keys[ref] })
        }
        const known = await rows.at(position, wanted, changed, cutAt)
        for (const ref of refs) found.set(ref, known)
      }
      for (const [slot, keys] of keysOf) {
        const rowOf = (ref: string, key: string | null): RefRows[string] =>
          key === null ? null : (found.get(ref)?.get(rowId({ tenant: slot.tenant, key })) ?? null)
        const rows = Object.fromEntries(Object.entries(keys).map(([ref, key]) => [ref, rowOf(ref, key)]))
        joined.set(slot, { keys, rows })
      }
      return joined
    },
    walk: (position, limit, after) => {
      const changed = referred.flatMap(({ refs, changed: all }): ChangedRef[] => {
        const keys = all.filter(row => row.position <= position)
        return keys.length === 0 ? [] : refs.map(ref => ({ ref, keys }))
      })
      const find = (query: Parameters<Parameters<typeof walkDependents>[0]['find']>[0]) =>
        context.dependents({ ...query, shard })
      return walkDependents({ changed, find, limit, ...(after !== undefined && { after }) })
    },
    changesOf: ({ tenant, state }, through) => {
      const keys = state == null ? {} : keysOrNone(() => context.refKeys(state, () => unreadEvent))
      const positions = new Set<Position>()
      for (const { refs, changed } of referred) {
        const wanted = new Set(refs.map(ref => keys[ref]))
        for (const { tenant: of, key, position } of changed) {
          if (of === tenant && position <= through && wanted.has(key)) positions.add(position)
        }
      }
      return [...positions].sort((a, b) => a - b)
    },
    eventAt: async position => (await log.readAt([position]))[0] ?? unreadEvent,
    madeAt,
    kept: () => referred.map(({ rows }) => rows.kept()),
    close: stopListening,
  }
}

/** A state whose keys cannot be told refers to nothing; that they cannot is said where its row is made. */
function keysOrNone(tell: () => RefKeys): RefKeys {
  try {
    return tell()
  } catch {
    return {}
  }
}
