import { BifoldError } from '../../src/index.ts'
import type { View, ViewStore } from '../../src/project/index.ts'

/** What is known of rows that others refer to, as they were. */
export interface Past {
  readonly store: ViewStore
  /** The last position of which a generation no longer knows what its rows were before. */
  lostUpTo(projection: string, generation: number): number
  /** Lets some of it go that nobody needs any more. */
  prune(random: () => number): Promise<void>
}

export function watchPast(inner: ViewStore): Past {
  const views = new Map<string, View>()
  const lost = new Map<string, number>()
  const idOf = (projection: string, generation: number): string => `${projection} ${generation}`
  const lose = (id: string, position: number): void => void lost.set(id, Math.max(position, lost.get(id) ?? 0))

  const watched = (view: View): View => {
    const id = idOf(view.projection, view.generation)
    const kept: View = {
      ...view,
      prune: async limit => {
        const { changed } = await view.changes({ after: 0, through: Number.MAX_SAFE_INTEGER, limit })
        const gone = await view.prune(limit)
        lose(id, changed[gone - 1]?.position ?? 0)
        return gone
      },
      bulkLoad: async load => {
        const outcome = await view.bulkLoad(load)
        if (outcome === 'committed') lose(id, load.to.position)
        return outcome
      },
    }
    views.set(id, kept)
    return kept
  }
  return {
    store: {
      ...inner,
      open: async (shape, generation) => watched(await inner.open(shape, generation)),
      rebuild: async (shape, newest) => watched(await inner.rebuild(shape, newest)),
    },
    lostUpTo: (projection, generation) => lost.get(idOf(projection, generation)) ?? 0,
    prune: async random => {
      for (const [id, view] of views) {
        if (!view.keepsPast) continue
        try {
          await view.prune(1 + Math.floor(random() * 10))
        } catch (error) {
          if (!(error instanceof BifoldError && error.code === 'project/generation-dropped')) throw error
          views.delete(id)
        }
      }
    },
  }
}
