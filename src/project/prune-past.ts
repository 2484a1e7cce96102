import type { View } from './store.ts'

/** Lets the past of a view go that nobody needs any more: when a session begins, and now and then while it is written. */
export interface Pruner {
  /** So many entries were added. */
  kept(entries: number): void
  /** Begins nothing more, and resolves when nothing is under way: what is left goes another time. */
  done(): Promise<void>
}

/** Entries after which it is tried, and that go at once. */
const entriesAtOnce = 1000

/** What the sessions before have left is let go at once: none of them may have come to add as many entries as it takes. */
export function makePruner(view: Pick<View, 'prune' | 'keepsPast'>): Pruner {
  let entries = 0
  let pruning: Promise<void> | undefined
  let isOver = false
  // What is not pruned now is pruned another time.
  const prune = (): void => {
    const all = async (): Promise<void> => {
      while ((await view.prune(entriesAtOnce)) === entriesAtOnce && !isOver);
    }
    pruning = all()
      .catch(() => undefined)
      .finally(() => {
        pruning = undefined
      })
  }
  if (view.keepsPast) prune()
  return {
    kept: more => {
      entries += more
      if (entries < entriesAtOnce || pruning !== undefined) return
      entries = 0
      prune()
    },
    done: async () => {
      isOver = true
      await pruning
    },
  }
}
