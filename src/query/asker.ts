import { type AnyQuery, type App, BifoldError, check, isError, type Position } from '../define/index.ts'
import { defaultTenant, type EventLog, origin, problemOfName, type Runtime, tokenOf } from '../log/index.ts'
import type { ViewStore } from '../project/index.ts'
import type { Answer, AskOptions, AskQuery } from './ask.ts'
import { type Found, type FoundRead, type ReadableView, type Reading, readOf } from './read.ts'
import { createSources, type LiveSource } from './sources.ts'
import { createTokens } from './tokens.ts'

export interface AskerOptions {
  readonly app: App
  /** The view of each projection that a query reads, by the projection's name. */
  readonly views: ReadonlyMap<string, ReadableView>
  /** Calls `listener` with each view that serves its projection from then on, instead of the one before. */
  readonly onServing?: (listener: (view: ReadableView) => void) => () => void
  /** Looks which view serves a projection now, and tells those who listen to `onServing`. */
  readonly follow?: (projection: string) => Promise<void>
  readonly store: Pick<ViewStore, 'kind' | 'onMoved'>
  readonly log: Pick<EventLog, 'id' | 'holds' | 'onReconnect'>
  readonly runtime: Runtime
  /** The code of the error that one of these shards (absent: any) of this process stands still with, for `query/timeout`. */
  readonly failureOf?: (
    projection: string,
    shards?: readonly number[],
  ) => string | undefined | Promise<string | undefined>
  /** Queries that are asked at once, waiting ones included; more are refused with `query/overloaded`. Default 10000. */
  readonly maxPending?: number
  /** Keys of one statement. Default 100. */
  readonly gatherKeys?: number
  /** Statements of look-ups by key that are under way at once, for each view. Default 2. */
  readonly gatherInFlight?: number
  /** How often a view is looked at while queries wait for it, beside the hints of its store. Default 20. */
  readonly pollMs?: number
}

/** The query side of an app. It has no way to write. */
export interface Asker {
  readonly query: AskQuery
  /**
   * As `query`, by name, with the answer as JSON text made of the stored documents, which are not parsed: the document
   * or `null` for `get`, `[…]` for `many`, `{"rows":[…],"next":…}` for `list`.
   */
  queryText(name: string, input: unknown, options?: AskOptions): Promise<Answer<string>>
  /** Takes no more queries, ends those that wait for a token, and lets the others finish. */
  close(): Promise<void>
}

const defaultWaitMs = 5000
const maxWaitMs = 60_000

/** A query of the app, looked up once. */
interface Plan {
  readonly query: AnyQuery
  /** The projections whose views it reads. */
  readonly reads: readonly string[]
}

/** How a query is answered as long as the views that serve now do. */
interface Prepared extends Reading {
  readonly sources: readonly LiveSource[]
}

/** Makes the query side. @throws `query/wrong-store` where a native query's views are in another store. */
export function createAsker(options: AskerOptions): Asker {
  const { app, views, store, log, runtime, failureOf = () => undefined, maxPending = 10_000 } = options
  const { gatherKeys = 100, gatherInFlight = 2, pollMs = 20 } = options
  const { onServing = () => () => undefined, follow = async () => undefined } = options
  const serving = createSources({ app, views, runtime, gatherKeys, gatherInFlight, pollMs })
  const plans = new Map(app.queries.map(query => [query.name, planOf(query, store.kind)]))
  const tokens = createTokens(log)
  const ends = [store.onMoved(serving.moved), onServing(serving.serve)]
  let pending = 0
  let closed: Promise<void> | undefined
  let drained = (): void => undefined

  /** Reads once all views, or the shards of one that the query reads, have reached `position`, or, stale, when the time is over. */
  const readAfter = async (
    { name }: AnyQuery,
    prepare: () => Prepared,
    position: Position,
    waitMs: number,
    onTimeout: AskOptions['onTimeout'],
  ): Promise<FoundRead> => {
    const startedMs = runtime.elapsed()
    // A row that stands still before `position` never gets there by itself: that is said at once.
    const mustNotStand = (found: FoundRead, projection: string): void => {
      const { parkedAt } = found
      if (parkedAt === undefined || parkedAt > position || onTimeout === 'stale') return
      throw new BifoldError('query/parked', { query: name, projection, position, parkedAt })
    }
    /** Where the shards were when it was another key that stood still. */
    let otherParkedAt: number | undefined
    for (;;) {
      const { sources, read, shards, isKeyed = false } = prepare()
      const leftMs = Math.max(0, waitMs - (runtime.elapsed() - startedMs))
      const orParked = isKeyed && (otherParkedAt ?? true)
      const there = await Promise.all(sources.map(({ waits }) => waits.until(position, leftMs, shards, orParked)))
      if (!serving.areCurrent(sources)) continue
      const [first] = sources
      if (there.includes('parked') && first !== undefined) {
        otherParkedAt = first.waits.marked(shards)
        const found = await read()
        mustNotStand(found, first.view.projection)
        if (found.parkedAt !== undefined && found.parkedAt <= position) return found
        continue
      }
      const late = sources[there.indexOf(false)]
      if (late !== undefined && onTimeout !== 'stale') {
        const projection = late.view.projection
        if (isKeyed) mustNotStand(await read(), projection)
        const failure = await failureOf(projection, shards)
        const at = { query: name, projection, position, reached: late.waits.reached(shards), waitedMs: waitMs }
        throw new BifoldError('query/timeout', failure === undefined ? at : { ...at, failure })
      }
      const found = await read()
      if (first !== undefined) mustNotStand(found, first.view.projection)
      if (found.asOf.position >= position || late !== undefined) return found
      // The view is not where it was seen: it was restored, or read from a copy that is behind.
      for (const { waits } of sources) waits.fellTo(found.asOf.position, shards)
    }
  }

  const answer = async <T>(
    { query, reads }: Plan,
    input: unknown,
    options: AskOptions,
    render: (found: Found) => T,
  ): Promise<Answer<T>> => {
    const checked = check(query.input, input)
    if (checked.issues !== undefined) {
      throw new BifoldError('query/invalid-input', { query: query.name, issues: checked.issues })
    }
    const waitMs = waitMsOf(query, options)
    const tenant = tenantOf(options)
    const prepare = (): Prepared => {
      const sources = serving.of(reads, query.rollup)
      return { sources, ...readOf(query, sources, checked.value, tenant) }
    }
    const { sources, read, shards } = prepare()
    const after = options.after === undefined ? origin : await tokens.read(options.after)
    const { position } = after
    const { value, asOf, parkedAt } = await (position === 0
      ? read()
      : readAfter(query, prepare, position, waitMs, options.onTimeout)
    ).catch(async (error: unknown) => {
      if (!isError(error, 'project/generation-dropped')) throw error
      await Promise.all(reads.map(follow))
      return readAfter(query, prepare, position, waitMs, options.onTimeout)
    })
    const stale = asOf.position < position || (parkedAt !== undefined && parkedAt <= position)
    // What a read shows of a view need not be looked up by those who wait for it.
    for (const { waits } of sources) waits.saw(asOf.position, shards)
    tokens.know(asOf)
    const token = tokenOf(log.id, asOf.position < position ? after : asOf)
    const answered = { value: render(value), asOf: asOf.position, token, stale }
    return parkedAt === undefined ? answered : { ...answered, parked: true }
  }

  const ask = async <T>(
    name: string,
    input: unknown,
    options: AskOptions,
    render: (found: Found) => T,
  ): Promise<Answer<T>> => {
    if (closed !== undefined) throw new BifoldError('query/closed', {})
    const plan = plans.get(name)
    if (plan === undefined) throw new BifoldError('query/unknown', { query: name })
    if (pending >= maxPending) throw new BifoldError('query/overloaded', { pending, limit: maxPending })
    pending++
    try {
      return await answer(plan, input, options, render)
    } finally {
      if (--pending === 0) drained()
    }
  }

  return {
    query: async <Input, Result>(query: { readonly name: string }, input: Input, options: AskOptions = {}) => {
      if (plans.get(query.name)?.query !== query) throw new BifoldError('query/unknown', { query: query.name })
      return ask(query.name, input, options, found => parsed(found) as Result)
    },
    queryText: (name, input, options = {}) => ask(name, input, options, textOf),
    close: () => {
      closed ??= new Promise(resolve => {
        for (const end of ends) end()
        tokens.close()
        drained = resolve
        if (pending === 0) resolve()
        serving.close()
      })
      return closed
    },
  }
}

function planOf(query: AnyQuery, store: string): Plan {
  const { ask, from } = query
  if (ask.verb === 'native' && ask.store !== store) {
    throw new BifoldError('query/wrong-store', { query: query.name, needs: ask.store, store })
  }
  return { query, reads: ask.verb === 'native' ? Object.values(ask.views).map(({ name }) => name) : [from.name] }
}

function waitMsOf(query: AnyQuery, { waitMs = defaultWaitMs }: AskOptions): number {
  if (waitMs >= 0 && waitMs <= maxWaitMs) return waitMs
  throw new BifoldError('query/invalid-request', {
    query: query.name,
    problem: `waitMs must be a number from 0 to ${maxWaitMs}`,
  })
}

function parsed(found: Found): unknown {
  switch (found.verb) {
    case 'get':
      return found.doc === null ? null : JSON.parse(found.doc)
    case 'many':
      return found.docs.map(doc => (doc === null ? null : (JSON.parse(doc) as unknown)))
    case 'list':
      return { rows: found.docs.map(doc => JSON.parse(doc) as unknown), next: found.next }
    case 'native':
      return found.value
  }
}

function textOf(found: Found): string {
  switch (found.verb) {
    case 'get':
      return found.doc ?? 'null'
    case 'many':
      return `[${found.docs.map(doc => doc ?? 'null').join()}]`
    case 'list':
      return `{"rows":[${found.docs.join()}],"next":${JSON.stringify(found.next)}}`
    case 'native':
      return JSON.stringify(found.value) ?? 'null'
  }
}

/** @throws `log/invalid-stream` for a name that no stream's tenant can have. */
function tenantOf({ tenant = defaultTenant }: AskOptions): string {
  const rule = problemOfName(tenant)
  if (rule !== undefined) throw new BifoldError('log/invalid-stream', { part: 'tenant', rule })
  return tenant
}
