import type { GenerationWatch, SeenGenerations, ViewStore } from '../project/index.ts'
import { followNewest, servingOf, servingSumsOf } from '../project/index.ts'
import type { ReadableView } from './read.ts'

/** The view of each projection that answers queries here, as one generation after another comes to serve. */
export interface ServedViews {
  /** Those of now, by the names of their projections. */
  readonly views: ReadonlyMap<string, ReadableView>
  /** Calls `listener` with each view that serves from then on, instead of the one before. */
  onServing(listener: (view: ReadableView) => void): () => void
  /** Opens what serves now, if that is another generation than before. */
  follow(projection: string): Promise<void>
  close(): Promise<void>
}

/** Opens the views that answer queries here, and opens others when they come to serve. */
export async function serveViews(
  watches: ReadonlyMap<string, GenerationWatch>,
  store: Pick<ViewStore, 'open'>,
): Promise<ServedViews> {
  const views = new Map<string, ReadableView>()
  const listeners = new Set<(view: ReadableView) => void>()
  const following = new Map<string, Promise<void>>()
  const followers = new Map<string, (seen: SeenGenerations) => Promise<void>>()

  const open = async ({ shape }: GenerationWatch, seen: SeenGenerations): Promise<void> => {
    const { name } = shape.projection
    const serving = servingOf(seen, shape)
    // Where every one that would do was dropped, the last one says so itself.
    if (serving === undefined) return
    const others = Object.keys(shape.sums ?? {}).flatMap((rollup): [string, number][] => {
      const other = servingSumsOf(seen, shape, rollup)
      return other === undefined || other === serving ? [] : [[rollup, other]]
    })
    const before = views.get(name)
    const sumsBefore = Array.from(before?.sumsFrom ?? [], ([rollup, { generation }]) => [rollup, generation])
    if (serving === before?.generation && JSON.stringify(others) === JSON.stringify(sumsBefore)) return
    const opened = new Map<number, ReadableView>()
    for (const number of new Set([serving, ...others.map(([, other]) => other)])) {
      opened.set(number, await store.open(shape, number))
    }
    const sumsFrom = new Map(others.map(([rollup, other]) => [rollup, opened.get(other) as ReadableView]))
    const view = { ...(opened.get(serving) as ReadableView), ...(sumsFrom.size > 0 && { sumsFrom }) }
    views.set(name, view)
    for (const listener of listeners) listener(view)
  }
  const follow = (watch: GenerationWatch, seen: SeenGenerations): Promise<void> => {
    const { name } = watch.shape.projection
    // What cannot be opened now is opened after the next look.
    const follower = followers.get(name) ?? followNewest((newest: SeenGenerations) => open(watch, newest))
    followers.set(name, follower)
    const next = follower(seen)
    following.set(name, next)
    return next
  }
  for (const watch of watches.values()) await open(watch, watch.seen())
  const ends = Array.from(watches.values(), watch => watch.onSeen(seen => void follow(watch, seen)))
  // What was seen while they were opened. Nothing is opened where it is the same.
  for (const watch of watches.values()) void follow(watch, watch.seen())
  return {
    views,
    onServing: listener => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    follow: async projection => {
      const watch = watches.get(projection)
      if (watch !== undefined) await follow(watch, await watch.look())
    },
    close: async () => {
      for (const end of ends) end()
      listeners.clear()
      await Promise.all(following.values())
    },
  }
}
