import type { AnyProjection, App } from '../../src/index.ts'
import { shardOf, type View, type ViewShape, viewShapeOf } from '../../src/project/index.ts'
import type { Captured } from './judge-view.ts'
import { all } from './pages.ts'
import type { Past } from './past.ts'

/** What is in the store itself, looked at without a network in between. */
export interface Stored {
  /** How far the shard of a key is, in the generation that is furthest. */
  reachedOf(view: string, tenant: string, key: string): Promise<number>
  /** Ends what operators have done, and says whether the views of a release serve and are at the head. */
  settled(release: App, head: number): Promise<boolean>
  /** All generations as they are now. */
  capture(when: string, isAtRest: boolean): Promise<readonly Captured[]>
  describe(): Promise<string>
}

export function lookInto({ store, lostUpTo }: Pick<Past, 'store' | 'lostUpTo'>, releases: readonly App[]): Stored {
  const names = releases[0]!.projections.map(({ name }) => name)
  const shapesOf = (name: string): readonly ViewShape[] =>
    releases.map(({ projections }) =>
      viewShapeOf(projections.find(projection => projection.name === name)!, projections),
    )
  const shapeOf = async (name: string, generation: number): Promise<ViewShape> => {
    for (const shape of shapesOf(name)) if ((await store.known(shape)).includes(generation)) return shape
    throw new Error(`no release has the generation ${generation} of ${name}`)
  }
  /** From where on the generation that a view refers to knows what its rows were. One that has folded something refers. */
  const exactFromOf = async (view: View, { refs }: AnyProjection, isNew: boolean): Promise<number> => {
    const all = Object.values(refs).map(async ({ to: { name } }) =>
      isNew ? 0 : lostUpTo(name, await view.refer({ projection: name, generation: Number.NaN })),
    )
    return Math.max(0, ...(await Promise.all(all)))
  }
  return {
    reachedOf: async (name, tenant, key) => {
      const all = await store.generations(name)
      return Math.max(
        0,
        ...all.map(({ shards, checkpoints }) => checkpoints[shardOf({ tenant, key }, shards)]?.position ?? 0),
      )
    },
    settled: async (release, head) => {
      const paused = await store.paused()
      const settled = await Promise.all(
        release.projections.map(async projection => {
          const { name } = projection
          if (paused.has(name)) await store.resume(name)
          const shape = viewShapeOf(projection, release.projections)
          const newest = (await store.known(shape)).at(-1)
          const found = (await store.generations(name)).find(({ generation }) => generation === newest)
          if (found === undefined) return false
          // Somebody has swapped back by hand.
          if (found.served && !found.active) await store.activate(name, found.generation)
          const { letters } = await store.open(shape, found.generation)
          if ((await letters.request('retry-all')).keys > 0) return false
          for (const { projection: to, generation } of found.refersTo) {
            const referred = (await store.generations(to)).find(({ active }) => active)
            if (referred?.generation !== generation) return false
          }
          return found.active && found.checkpoints.every(({ position }) => position === head)
        }),
      )
      return !settled.includes(false)
    },
    capture: async (when, isAtRest) => {
      const captured: Captured[] = []
      for (const name of names) {
        for (const { generation, active, checkpoints } of await store.generations(name)) {
          const shape = await shapeOf(name, generation)
          const definition = shape.projection
          const view = await store.open(shape, generation)
          const exactFrom = await exactFromOf(
            view,
            definition,
            checkpoints.every(({ position }) => position === 0),
          )
          const found = await view.snapshot(async ({ checkpoints, parked, skips, pages, sums }) => ({
            ...{ checkpoints, parked, skips },
            rows: (await all(pages)).flat(),
            sums: (await all(sums)).flat(),
          }))
          const waiting = await Promise.all(found.parked.map(key => view.letters.positions(key, 0, 1000)))
          captured.push({
            ...{ ...found, waiting, definition, generation, exactFrom, when },
            mayBeAhead: view.mayBeAhead === true,
            isAtRest: isAtRest && active,
          })
        }
      }
      return captured
    },
    describe: async () => {
      const standing = await Promise.all(
        names.map(async name => {
          const all = await store.generations(name)
          const each = all.map(({ generation, active, checkpoints }) => {
            const shards = checkpoints.map(({ position, epoch }) => `${position}/${epoch}`)
            return `${generation}${active ? '*' : ''} ${shards.join(' ')}`
          })
          return `${name} ${each.join(', ')}`
        }),
      )
      const paused = [...(await store.paused())]
      return [...standing, ...(paused.length > 0 ? [`paused: ${paused.join()}`] : [])].join('; ')
    },
  }
}
