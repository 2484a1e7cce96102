import type { AnyProjection, App } from '../define/index.ts'
import type { Runtime } from '../log/index.ts'
import { candidateOf, type SeenGenerations } from './plan-generations.ts'
import type { SeenReferred } from './plan-references.ts'
import type { ViewShape, ViewStore } from './store.ts'
import { viewShapeOf } from './view-shape.ts'

/** Which generations of one projection there are, kept up to date for whoever carries them on or asks them. */
export interface GenerationWatch {
  readonly shape: ViewShape
  /** As they were when they were last looked at. */
  seen(): SeenGenerations
  /** Looks now. */
  look(): Promise<SeenGenerations>
  /** Calls `listener` after each look. */
  onSeen(listener: (seen: SeenGenerations) => void): () => void
  end(): void
}

interface WatchOptions {
  readonly store: ViewStore
  readonly shape: ViewShape
  readonly runtime: Runtime
  /** How often to look, beside the times that the store says so. Default 2000; ten times as often while one is built. */
  readonly pollMs?: number
}

/** Opens the view, which makes its generation where there is none, and watches what becomes of it. */
async function watchGenerations(options: WatchOptions): Promise<GenerationWatch> {
  const { store, shape, runtime, pollMs = 2000 } = options
  const { name } = shape.projection
  const listeners = new Set<(seen: SeenGenerations) => void>()
  let seen: SeenGenerations = { all: [], known: [] }
  let looking: Promise<SeenGenerations> | undefined
  let lookAgain: Promise<SeenGenerations> | undefined
  let cancelPoll = (): void => undefined
  let ended = false

  const read = async (): Promise<SeenGenerations> => {
    const all = await store.generations(name)
    const numbers = (of: SeenGenerations): string => of.all.map(({ generation }) => generation).join()
    // Which are of this definition changes with nothing but their number.
    const isSame = numbers({ all, known: [] }) === numbers(seen)
    seen = { all, known: isSame ? seen.known : await store.known(shape) }
    for (const listener of listeners) listener(seen)
    return seen
  }
  const start = (): Promise<SeenGenerations> => {
    cancelPoll()
    lookAgain = undefined
    looking = read().finally(() => {
      // The next look begins a few turns later, and what comes until then waits for it.
      if (lookAgain !== undefined) return
      looking = undefined
      schedule()
    })
    return looking
  }
  /** What is asked for during a look is answered by the one after it: the first may have read before. */
  const look = (): Promise<SeenGenerations> => {
    if (looking === undefined) return start()
    lookAgain ??= looking.then(start, start)
    return lookAgain
  }
  const hint = (): void => {
    // A look that fails is made again with the next poll.
    if (!ended) look().catch(() => undefined)
  }
  const schedule = (): void => {
    cancelPoll()
    if (ended) return
    const every = candidateOf(seen) === undefined ? pollMs : pollMs / 10
    cancelPoll = runtime.after(every * (0.75 + runtime.random() / 2), hint)
  }

  await store.open(shape)
  const endHints = store.onGenerations(projection => {
    if (projection === name) hint()
  })
  const end = (): void => {
    ended = true
    cancelPoll()
    endHints()
    listeners.clear()
  }
  try {
    await look()
  } catch (error) {
    end()
    throw error
  }
  return {
    shape,
    seen: () => seen,
    look,
    onSeen: listener => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    end,
  }
}

/** What was seen of the views to which rows of `projection` refer. */
export function seenReferred(
  { refs }: AnyProjection,
  watches: ReadonlyMap<string, Pick<GenerationWatch, 'seen'>>,
): SeenReferred {
  const seen = new Map<string, SeenGenerations>()
  for (const { to } of Object.values(refs)) {
    const watch = watches.get(to.name)
    if (watch !== undefined) seen.set(to.name, watch.seen())
  }
  return seen
}

/** As they are now. */
export async function readReferred(
  store: Pick<ViewStore, 'generations'>,
  referred: SeenReferred,
): Promise<SeenReferred> {
  const read = async ([name, { known }]: readonly [string, SeenGenerations]) =>
    [name, { all: await store.generations(name), known }] as const
  return new Map(await Promise.all(Array.from(referred, read)))
}

/** Opens the views of some of an app's projections, and watches them: by the names of the projections. */
export async function watchAll(
  app: App,
  projections: readonly AnyProjection[],
  store: ViewStore,
  runtime: Runtime,
): Promise<ReadonlyMap<string, GenerationWatch>> {
  const shapes = projections.map(projection => viewShapeOf(projection, app.projections))
  const watches = await Promise.allSettled(shapes.map(shape => watchGenerations({ store, shape, runtime })))
  const failed = watches.find(one => one.status === 'rejected')
  const opened = watches.flatMap(one => (one.status === 'fulfilled' ? one.value : []))
  if (failed === undefined) return new Map(opened.map(watch => [watch.shape.projection.name, watch]))
  for (const watch of opened) watch.end()
  throw failed.reason
}
