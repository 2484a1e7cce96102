import { type AnyProjection, BifoldError, isError, type Position, type RecordedEvent } from '../define/index.ts'
import { defaultTenant, type EventLog, type Runtime } from '../log/index.ts'
import {
  compareText,
  type Letter,
  type LetterRequest,
  type ListedKey,
  lookedAfterOf,
  makeKeysOf,
  makeTurns,
  type RowKey,
  seeGenerations,
  textProblem,
  type View,
  type ViewStore,
  viewShapeOf,
} from '../project/index.ts'
import { carriedOut } from './carried-out.ts'
import { checkArguments, checkOptions } from './check-arguments.ts'
import { type Gate, mustBeOpen, mustOperateOn } from './of-app.ts'

/** A key that stands still in a generation, with what is known of why. */
export interface ParkedRow extends ListedKey {
  readonly projection: string
  readonly generation: number
}

/** A parked key, looked into. */
export interface ParkedDetails extends ParkedRow {
  /** As it stands: without the events that wait. `null`: there is none. */
  readonly row: unknown
  /**
   * The first events that wait, in order. The first of all is the one that failed: of its own, or one that changed a row to
   * which it refers.
   */
  readonly waiting: readonly RecordedEvent[]
}

/** What became of a retry or a skip. */
export interface Retried {
  /** How many keys were asked for, each once in every generation in which it stood still. */
  readonly keys: number
  /** Those of them, or of all, that stand still now, the first hundred: with the same error, or another one. */
  readonly parked: readonly ParkedRow[]
}

export interface GenerationOptions {
  /**
   * One generation of the projection. Default: all that are looked after, which are the one that serves, those of this
   * release's definition that are carried on, and those that a living process of another release carries on.
   */
  readonly generation?: number
}

export interface ListOptions extends GenerationOptions {
  /** Default: all of the app. */
  readonly projection?: AnyProjection
  /**
   * Keys that are given, each once for every generation in which it stands still; of more, the first in the order of
   * projections, tenants, keys and generations. Default 100, at most 1000.
   */
  readonly limit?: number
  /** Of one projection: begin behind this key; behind this generation's, where it names one. */
  readonly after?: RowKey & { readonly generation?: number }
}

export interface KeyOptions extends GenerationOptions {
  /** Default: the default tenant. */
  readonly tenant?: string
}

export interface RetryOptions extends KeyOptions {
  /** How long whoever holds the key's shard may take; then `project/retry-pending`. Default 10000. */
  readonly timeoutMs?: number
}

/** What operators do with keys whose fold failed, from whatever process. */
export interface DeadLetterOperations {
  /** The keys that stand still. */
  list(options?: ListOptions): Promise<readonly ParkedRow[]>
  /**
   * One of them, with its row and its events, in the generation that answers queries here, or else in the newest in which it
   * is parked; `undefined` where it is not.
   */
  show(
    projection: AnyProjection,
    key: string,
    options?: KeyOptions & { readonly maxEvents?: number },
  ): Promise<ParkedDetails | undefined>
  /**
   * Folds what waits of a key, in order from the first, and answers when that is done: its row then has all of its events,
   * those included that have come meanwhile, or it stands at the next event that fails.
   * @throws `project/not-parked` · `project/request-pending` where it is to be skipped already · `project/retry-pending`
   */
  retry(projection: AnyProjection, key: string, options?: RetryOptions): Promise<Retried>
  /**
   * As `retry`, of all parked keys of a projection, of which there may be none. One that is to be skipped already is skipped.
   * @throws `project/retry-pending`
   */
  retryAll(projection: AnyProjection, options?: Omit<RetryOptions, 'tenant'>): Promise<Retried>
  /**
   * Leaves the event at which a key stands out of its row, for good, and goes on as `retry`: in every generation that stands
   * at this event, and in no other one. What is skipped, and why, is kept: new generations and `bifold/verify` leave it out
   * too.
   * @param options.position the event that is meant. Default: the one at which the key stands as `show` shows it when this is
   *   called.
   * @throws `project/not-parked` also where it stands at another event · `project/invalid-reason` · `project/request-pending`
   * where something else is asked for already · `project/retry-pending` · `project/not-skippable` where it stands at a change
   * of a row that its own refers to: that cannot be left out
   */
  skip(
    projection: AnyProjection,
    key: string,
    options: RetryOptions & { readonly reason: string; readonly position?: Position },
  ): Promise<Retried>
}

export interface DeadLettersContext extends Gate {
  readonly store: ViewStore
  readonly log: Pick<EventLog, 'readAt'>
  readonly runtime: Runtime
}

const maxListed = 1000
const maxReasonChars = 1000
const defaultTimeoutMs = 10_000

/** A key as one generation has it. */
interface Standing {
  readonly view: View
  readonly found: ListedKey
}

export function deadLettersOf(context: DeadLettersContext): DeadLetterOperations {
  const { app, store, log, runtime, isClosed } = context
  /** The generation that is asked for, or those that are looked after. None is made. */
  const viewsOf = async (projection: AnyProjection, generation: number | undefined): Promise<readonly View[]> => {
    mustOperateOn(context, projection)
    const shape = viewShapeOf(projection, app.projections)
    if (generation !== undefined) return [await store.find(shape, generation)]
    const numbers = lookedAfterOf(await seeGenerations(store, shape), shape)
    const found = numbers.map(number =>
      store.find(shape, number).catch(error => {
        if (isError(error, 'project/generation-dropped')) return undefined
        throw error
      }),
    )
    return (await Promise.all(found)).filter(view => view !== undefined)
  }

  const standingIn = async (views: readonly View[], key: RowKey): Promise<readonly Standing[]> => {
    const standing = views.map(async view => {
      const found = await view.letters.find(key)
      return found === undefined ? [] : [{ view, found }]
    })
    return (await Promise.all(standing)).flat()
  }

  const mustStand = async (views: readonly View[], { name }: AnyProjection, key: RowKey) => {
    const [first, ...others] = await standingIn(views, key)
    if (first === undefined) throw new BifoldError('project/not-parked', { projection: name, ...key })
    return [first, ...others] as const
  }

  /** Asks in all of these generations, before it is told that one of them was asked for something else. */
  const ask = async (standing: readonly Standing[], requestOf: (found: ListedKey) => LetterRequest): Promise<void> => {
    const asked = await Promise.all(
      standing.map(async ({ view, found }) => ({ view, ...(await view.letters.request(requestOf(found))) })),
    )
    for (const { view, pending } of asked) {
      const { projection, generation } = view
      if (pending !== undefined)
        throw new BifoldError('project/request-pending', { projection, generation, ...pending })
    }
  }

  /** Does the event at which a key stands touch its row? Else one to which it refers was changed there. */
  const isOwnEvent = async (projection: AnyProjection, { tenant, key, position }: Letter): Promise<boolean> => {
    const turns = makeTurns({ runtime, turnEvents: 1 })
    const { byShard } = await makeKeysOf(projection, 1)(await log.readAt([position]), turns)
    return (byShard[0] ?? []).some(({ event, keys }) => event.tenant === tenant && keys.includes(key))
  }

  const waitFor = (views: readonly View[], timeoutMs: number, key?: RowKey): Promise<void> =>
    carriedOut(views, { timeoutMs, runtime, isClosed, ...(key !== undefined && { key }) })

  return {
    list: async (options = {}) => {
      mustBeOpen(context)
      checkOptions('deadLetters.list', options)
      const { projection, limit = 100, after, generation } = options
      if (projection === undefined && (after ?? generation) !== undefined) throw ofOneProjection(options)
      const wanted = Math.min(limit, maxListed)
      const listed: ParkedRow[] = []
      for (const one of projection === undefined ? app.projections : [projection]) {
        if (listed.length >= wanted) break
        const views = await viewsOf(one, generation)
        const pages = await Promise.all(views.map(view => pageOf(view, wanted - listed.length, after)))
        const page = pages.flat().sort(compareRows)
        listed.push(...page.slice(0, wanted - listed.length))
      }
      return listed
    },
    show: async (projection, key, options = {}) => {
      check('show', options, key)
      const { tenant = defaultTenant, maxEvents = 100, generation } = options
      const [first] = await standingIn(await viewsOf(projection, generation), { tenant, key })
      if (first === undefined) return undefined
      const { view, found } = first
      const positions = await view.letters.positions(found, 0, Math.min(maxEvents, maxListed))
      const [{ value }, waiting] = await Promise.all([view.get([found]), log.readAt(positions)])
      return { ...rowOf(view, found), row: value[0] == null ? null : JSON.parse(value[0]), waiting }
    },
    retry: async (projection, key, options = {}) => {
      check('retry', options, key)
      const { tenant = defaultTenant, timeoutMs = defaultTimeoutMs, generation } = options
      const row = { tenant, key }
      const standing = await mustStand(await viewsOf(projection, generation), projection, row)
      await ask(standing, ({ position }) => ({ ...row, position, action: 'retry' }))
      const views = standing.map(({ view }) => view)
      await waitFor(views, timeoutMs, row)
      return { keys: standing.length, parked: rowsOf(await standingIn(views, row)) }
    },
    retryAll: async (projection, options = {}) => {
      checkOptions('deadLetters.retryAll', options)
      const { timeoutMs = defaultTimeoutMs, generation } = options
      const views = await viewsOf(projection, generation)
      const asked = await Promise.all(views.map(view => view.letters.request('retry-all')))
      await waitFor(views, timeoutMs)
      const parked = await Promise.all(views.map(view => pageOf(view, 100)))
      return { keys: asked.reduce((sum, { keys }) => sum + keys, 0), parked: parked.flat().slice(0, 100) }
    },
    skip: async (projection, key, options) => {
      check('skip', options ?? null, key)
      const { tenant = defaultTenant, timeoutMs = defaultTimeoutMs, reason, generation } = options
      const problem = reasonProblem(reason)
      if (problem !== undefined) throw new BifoldError('project/invalid-reason', { problem })
      const row = { tenant, key }
      const standing = await mustStand(await viewsOf(projection, generation), projection, row)
      const { position = standing[0].found.position } = options
      const meant = await standingAt(standing, position)
      if (!(await isOwnEvent(projection, { ...row, position }))) {
        throw new BifoldError('project/not-skippable', { projection: projection.name, ...row, position })
      }
      await ask(meant, () => ({ ...row, position, action: 'skip', reason }))
      const views = meant.map(({ view }) => view)
      await waitFor(views, timeoutMs, row)
      const left = await standingIn(views, row)
      await mustBeSkipped(views, left, { ...row, position })
      return { keys: meant.length, parked: rowsOf(left) }
    },
  }
}

/** Of an operation on one key. */
function check(verb: string, options: object | null, key: string): void {
  const operation = `deadLetters.${verb}`
  checkOptions(operation, options)
  checkArguments(operation, { key: key ?? null })
}

function ofOneProjection({ after }: ListOptions): BifoldError {
  const argument = after === undefined ? 'generation' : 'after'
  const rule = 'it is of one projection, which has to be named too'
  return new BifoldError('run/invalid-argument', { operation: 'deadLetters.list', argument, rule })
}

/** Of one generation, behind a key. */
async function pageOf(view: View, limit: number, after?: ListOptions['after']): Promise<readonly ParkedRow[]> {
  // Where another generation of the key was the last one, this one's comes next.
  const isNext = after?.generation !== undefined && view.generation > after.generation
  const first = isNext ? await view.letters.find(after) : undefined
  const others = await view.letters.list({ limit, ...(after && { after }) })
  return (first === undefined ? others : [first, ...others]).map(key => rowOf(view, key))
}

function compareRows(a: ParkedRow, b: ParkedRow): number {
  return compareText(a.tenant, b.tenant) || compareText(a.key, b.key) || a.generation - b.generation
}

/** Those that stand at this event, or were to leave it out already and have not been folded on to their end. */
async function standingAt(
  standing: readonly [Standing, ...Standing[]],
  position: Position,
): Promise<readonly Standing[]> {
  const meant = standing.map(async one =>
    one.found.position === position || (await isSkipped(one.view, { ...one.found, position })) ? [one] : [],
  )
  const found = (await Promise.all(meant)).flat()
  if (found.length > 0) return found
  throw standsElsewhere(standing[0], position)
}

/** Somebody else may have been faster, so that the key no longer stood where it was to be skipped. */
async function mustBeSkipped(views: readonly View[], left: readonly Standing[], letter: Letter): Promise<void> {
  for (const view of views) {
    if (await isSkipped(view, letter)) continue
    const { tenant, key, position } = letter
    const standing = left.find(one => one.view === view)
    // An event behind it cannot be read: it stands there still, with that error.
    if (standing?.found.position === position) continue
    if (standing !== undefined) throw standsElsewhere(standing, position)
    throw new BifoldError('project/not-parked', { projection: view.projection, tenant, key, position })
  }
}

async function isSkipped({ letters }: View, letter: Letter): Promise<boolean> {
  return (await letters.skips(letter)).some(({ position }) => position === letter.position)
}

function standsElsewhere({ view, found }: Standing, position: Position): BifoldError {
  const { tenant, key, position: standsAt } = found
  const { projection, generation } = view
  return new BifoldError('project/not-parked', { projection, generation, tenant, key, position, standsAt })
}

function rowsOf(standing: readonly Standing[]): readonly ParkedRow[] {
  return standing.map(({ view, found }) => rowOf(view, found))
}

function rowOf({ projection, generation }: View, key: ListedKey): ParkedRow {
  return { projection, generation, ...key }
}

function reasonProblem(reason: unknown): string | undefined {
  if (typeof reason !== 'string' || reason.trim() === '') return 'it is text, and says why'
  if (reason.length > maxReasonChars) return `it has at most ${maxReasonChars} characters`
  return textProblem(reason)
}
