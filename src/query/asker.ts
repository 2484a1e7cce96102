import { type AnyQuery, type App, BifoldError, check, columnsOf, type Position } from '../define/index.ts'
import { defaultTenant, type EventLog, origin, problemOfName, type Runtime } from '../log/index.ts'
import type { Read, ViewStore } from '../project/index.ts'
import type { Answer, AskOptions, AskQuery } from './ask.ts'
import { gather } from './gather.ts'
import { type Found, type ReadableView, type Reading, readOf, type Source } from './read.ts'
import { createTokens } from './tokens.ts'
import { createWaits, type Waits } from './waits.ts'

export interface AskerOptions {
  readonly app: App
  /** The view of each projection that a query reads, by the projection's name. */
  readonly views: ReadonlyMap<string, ReadableView>
  readonly store: Pick<ViewStore, 'kind' | 'onMoved'>
  readonly log: Pick<EventLog, 'id' | 'holds' | 'onReconnect'>
  readonly runtime: Runtime
  /** The code of the error that one of these shards (absent: any) of this process stands still with, for `query/timeout`. */
  readonly failureOf?: (projection: string, shards?: readonly number[]) => string | undefined
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
  readonly sources: readonly (Source & { readonly waits: Waits })[]
}

/** Makes the query side. @throws `query/wrong-store` where a native query's views are in another store. */
export function createAsker(options: AskerOptions): Asker {
  const { app, store, log, runtime, failureOf = () => undefined, maxPending = 10_000 } = options
  const sources = sourcesOf(options)
  const plans = new Map(app.queries.map(query => [query.name, planOf(query, sources, store.kind)]))
  const tokens = createTokens(log)
  const endMoved = store.onMoved(projection => sources.get(projection)?.waits.moved())
  let pending = 0
  let closed: Promise<void> | undefined
  let drained = (): void => undefined

  /** Reads once all views, or the shards of one that the query reads, have reached `position`, or, stale, when the time is over. */
  const readAfter = async (
    { query, sources }: Plan,
    { read, shards }: Reading,
    position: Position,
    waitMs: number,
    onTimeout: AskOptions['onTimeout'],
  ): Promise<Read<Found>> => {
    const startedMs = runtime.elapsed()
    for (;;) {
      const leftMs = Math.max(0, waitMs - (runtime.elapsed() - startedMs))
      const there = await Promise.all(sources.map(({ waits }) => waits.until(position, leftMs, shards)))
      const late = sources[there.indexOf(false)]
      if (late !== undefined && onTimeout !== 'stale') {
        const projection = late.view.projection
        const failure = failureOf(projection, shards)
        const at = { query: query.name, projection, position, reached: late.waits.reached(shards), waitedMs: waitMs }
        throw new BifoldError('query/timeout', failure === undefined ? at : { ...at, failure })
      }
      const found = await read()
      if (found.asOf.position >= position || late !== undefined) return found
      // The view is not where it was seen: it was restored, or read from a copy that is behind.
      for (const { waits } of sources) waits.fellTo(found.asOf.position, shards)
    }
  }

  const answer = async <T>(
    plan: Plan,
    input: unknown,
    options: AskOptions,
    render: (found: Found) => T,
  ): Promise<Answer<T>> => {
    const { query, sources } = plan
    const checked = check(query.input, input)
    if (checked.issues !== undefined) {
      throw new BifoldError('query/invalid-input', { query: query.name, issues: checked.issues })
    }
    const waitMs = waitMsOf(query, options)
    const reading = readOf(query, sources, checked.value, tenantOf(options))
    const { position } = options.after === undefined ? origin : await tokens.read(options.after)
    const { value, asOf } =
      position === 0 ? await reading.read() : await readAfter(plan, reading, position, waitMs, options.onTimeout)
    // What a read shows of a view need not be looked up by those who wait for it.
    for (const { waits } of sources) waits.saw(asOf.position, reading.shards)
    return { value: render(value), asOf: asOf.position, stale: asOf.position < position }
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
        endMoved()
        tokens.close()
        drained = resolve
        if (pending === 0) resolve()
        for (const { waits } of sources.values()) waits.close()
      })
      return closed
    },
  }
}

function sourcesOf(options: AskerOptions): ReadonlyMap<string, Plan['sources'][number]> {
  const { app, views, runtime, gatherKeys = 100, gatherInFlight = 2, pollMs = 20 } = options
  return new Map(
    app.projections.flatMap(projection => {
      const view = views.get(projection.name)
      const derived = columnsOf(projection.state)
      if (view === undefined || 'problem' in derived) return []
      const get = gather(view.get, { runtime, maxInFlight: gatherInFlight, maxKeys: gatherKeys })
      const look = async () => (await view.checkpoints()).map(({ position }) => position)
      const waits = createWaits({ runtime, shards: view.shards, look, pollMs })
      return [[projection.name, { view, columns: derived.columns, get, waits }]]
    }),
  )
}

function planOf(query: AnyQuery, all: ReadonlyMap<string, Plan['sources'][number]>, store: string): Plan {
  const { ask, from } = query
  if (ask.verb === 'native' && ask.store !== store) {
    throw new BifoldError('query/wrong-store', { query: query.name, needs: ask.store, store })
  }
  const names = ask.verb === 'native' ? Object.values(ask.views).map(({ name }) => name) : [from.name]
  return { query, sources: names.flatMap(name => all.get(name) ?? []) }
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
