import type { App, NewEvent } from '../define/index.ts'
import { createLog } from '../log/index.ts'
import { inMemory, memoryRowStore } from '../stores/memory/index.ts'
import { type Projector, type ProjectorSettings, startProjector } from './projector.ts'
import type { RowStore, Rows, RowWrites } from './row-store.ts'
import { rowsApart } from './rows-apart.ts'
import type { ViewStore } from './store.ts'

const never = <T>(): Promise<T> => new Promise(() => undefined)

/** Is handed what is about to be written, and what sends it: answers instead of it, or nothing. */
type Hook = (writes: RowWrites, send: () => Promise<void>) => Promise<void> | undefined

/** A process that can die: from then on none of its calls arrives, or is answered. */
export interface Mortal {
  start(settings?: ProjectorSettings): Promise<Projector>
  die(): void
  /** What becomes of rows that it writes. */
  onWrite(hook: Hook): void
  /** What is waited for before it calls a verb of a view. */
  before(wait: (verb: string, projection: string) => Promise<void>): void
  /** Dies with the first rows that it writes from now on: when they have arrived, or before. Resolves when it has. */
  diesWriting(how: { readonly arrives: boolean }): Promise<() => Promise<void>>
}

/** A log in memory, views whose rows are apart, and processes that carry them on and can die. */
export async function mortals(app: App, isApart: (name: string) => boolean = () => true) {
  const { log: storage, views } = inMemory()
  const rows = memoryRowStore()
  const log = await createLog(storage, { eventTypes: app.eventTypes })
  const options = { isApart: ({ name }: { readonly name: string }) => isApart(name) }
  return {
    log,
    views: rowsApart(views, rows, options),
    rows,
    /** @returns the position of the last event of the log. */
    append: async (category: string, id: string, ...events: readonly NewEvent[]): Promise<number> => {
      await log.append({ stream: { tenant: 'default', category, id }, expected: 'any', events })
      return (await log.head()).position
    },
    process: (): Mortal => mortal({ app, log }, views, rows, options),
  }
}

function mortal(
  { app, log }: Pick<Parameters<typeof startProjector>[0], 'app' | 'log'>,
  views: ViewStore,
  rows: RowStore,
  options: Parameters<typeof rowsApart>[2],
): Mortal {
  let isDead = false
  let hook: Hook = () => undefined
  let wait: (verb: string, projection: string) => Promise<void> = async () => undefined

  const called = async <T>(call: () => Promise<T>): Promise<T> => {
    if (isDead) return never()
    const answer = await call()
    return isDead ? never() : answer
  }
  /** Every verb but those that listen. */
  function wrapped<T extends object>(port: T, projection = ''): T {
    const verbs = Object.entries(port).map(([verb, member]: [string, unknown]) => {
      if (verb === 'letters') return [verb, wrapped(member as object, projection)]
      if (typeof member !== 'function' || /^on[A-Z]/.test(verb)) return [verb, member]
      const call = (...args: unknown[]) =>
        called(async () => {
          await wait(verb, projection)
          return Reflect.apply(member, port, args) as unknown
        })
      return [verb, call]
    })
    return Object.fromEntries(verbs) as T
  }
  const wrappedRows = (inner: Rows): Rows => ({
    ...wrapped(inner),
    pages: inner.pages,
    write: writes =>
      called(() => {
        const send = () => inner.write(writes)
        return hook(writes, send) ?? send()
      }),
  })
  const viewsOf = async (open: Promise<Awaited<ReturnType<ViewStore['open']>>>) => {
    const view = await open
    return wrapped(view, view.projection)
  }
  const store: ViewStore = {
    ...wrapped(views),
    open: (shape, generation) => called(() => viewsOf(views.open(shape, generation))),
    find: (shape, generation) => called(() => viewsOf(views.find(shape, generation))),
    rebuild: (shape, newest) => called(() => viewsOf(views.rebuild(shape, newest))),
  }
  const rowStore: RowStore = { ...rows, open: async (...asked) => wrappedRows(await rows.open(...asked)) }
  const die = (): void => {
    isDead = true
  }
  return {
    start: settings =>
      startProjector({
        ...{ app, log, store: rowsApart(store, rowStore, options) },
        ...{ leaseMs: 150, retry: { minDelayMs: 5, maxDelayMs: 10 }, foldAttempts: 1, ...settings },
      }),
    die,
    onWrite: next => {
      hook = next
    },
    before: next => {
      wait = next
    },
    diesWriting: ({ arrives }) =>
      new Promise(resolve => {
        hook = (_, send) => {
          const sent = arrives ? send() : Promise.resolve()
          return sent.then(() => {
            die()
            resolve(send)
            return never()
          })
        }
      }),
  }
}
