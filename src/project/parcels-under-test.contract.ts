import { isDeepStrictEqual } from 'node:util'
import { expect } from 'vitest'
import { BifoldError } from '../define/index.ts'
import type { EventLog } from '../log/index.ts'
import type { ProjectorLimits } from './limits.ts'
import {
  eventsOf,
  expectedParcels,
  expectedSums,
  type Parcels,
  type ParcelsOptions,
  PersonEvents,
  parcels,
  post,
} from './parcels.contract.ts'
import type { Projector, ProjectorOptions, ProjectorSettings } from './projector.ts'
import { type ProjectorUnderTest, projectorUnderTest, until } from './projector-under-test.contract.ts'
import { rowId, type View, type ViewStore } from './store.ts'
import { viewShapeOf } from './view-shape.ts'

/** Numbers from 0 up to, and without, 1 that follow from the seed alone. */
export function seeded(seed: number): () => number {
  let state = seed | 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    const mix = Math.imul(state ^ (state >>> 15), 1 | state)
    const more = (mix + Math.imul(mix ^ (mix >>> 7), 61 | mix)) ^ mix
    return ((more ^ (more >>> 14)) >>> 0) / 2 ** 32
  }
}

/** A store whose every answer may be late, and whose connection may be lost before or after a commit. */
export function unsteady(store: ViewStore, random: () => number, lossRate: number): ViewStore {
  const late = async (): Promise<void> => {
    for (let turns = Math.floor(random() ** 4 * 8); turns > 0; turns--) await new Promise(setImmediate)
  }
  const lose = (projection: string): void => {
    if (random() < lossRate) throw new BifoldError('project/store-unreachable', { projection, problem: 'lost' })
  }
  const wrap = (view: View): View => {
    const slow = <Arguments extends unknown[], T>(verb: (...given: Arguments) => Promise<T>) => {
      return async (...given: Arguments): Promise<T> => {
        await late()
        lose(view.projection)
        const answer = await verb(...given)
        await late()
        lose(view.projection)
        return answer
      }
    }
    const { claim, load, commit, asOf, changes, dependents } = view
    const slowly = { claim: slow(claim), load: slow(load), commit: slow(commit), asOf: slow(asOf) }
    return { ...view, ...slowly, changes: slow(changes), dependents: slow(dependents) }
  }
  return { ...store, open: async (shape, generation) => wrap(await store.open(shape, generation)) }
}

export const quick: Partial<ProjectorLimits> = {
  retry: { minDelayMs: 1, maxDelayMs: 5 },
  reconnect: { minDelayMs: 1, maxDelayMs: 2 },
  emptyMoveMs: 2,
  refPollMs: 2,
}

/** As `quick`, and a key that fails is parked at once, and retried when it is asked for. */
export const prompt = { ...quick, foldAttempts: 1, requestPollMs: 2 } as const

/** Names of people that cannot be folded, until they can; `hear` is for `parcels`. */
export function deaf() {
  const names = new Set<string>()
  const hear = (name: string): void => {
    if (names.has(name)) throw new RangeError('unheard of')
  }
  return { names, hear }
}

/** As `projectorUnderTest`, of parcels, and what their views hold. */
export function parcelsUnderTest(make: () => Promise<ProjectorUnderTest>, settings: ProjectorSettings = quick) {
  const its = projectorUnderTest(make, post(parcels()), settings)
  const viewOf = ({ Parcels }: Parcels): Promise<View> => its.tested.store.open(viewShapeOf(Parcels))
  const peopleOf = ({ People }: Parcels): Promise<View> => its.tested.store.open({ ...viewShapeOf(People), past: true })
  /** The rows of the parcels, and the sums of their rollups over all shards. */
  async function storedIn(projected: Parcels) {
    return (await viewOf(projected)).snapshot(async ({ pages, sums }) => {
      const rows = new Map<string, string>()
      for await (const page of pages) for (const row of page) rows.set(rowId(row), row.doc)
      const added = new Map<string, bigint>()
      for await (const page of sums) {
        for (const { rollup, tenant, group, sum, value, rows: counted } of page) {
          const id = [rollup, tenant, group, sum].join()
          added.set(id, (added.get(id) ?? 0n) + (sum === '' ? BigInt(counted) : value))
        }
      }
      return { rows, sums: new Map(Array.from(added, ([id, value]) => [id, String(value)])) }
    })
  }
  return {
    get tested(): ProjectorUnderTest {
      return its.tested
    },
    get log(): EventLog {
      return its.log
    },
    /** Without rollups where the store has none. */
    parcels: (options?: ParcelsOptions): Parcels => {
      const made = parcels(options)
      return its.tested.isApart === true ? { ...made, Parcels: { ...made.Parcels, rollups: {} as never } } : made
    },
    append: its.append,
    start: (
      projected: Parcels,
      more: ProjectorSettings & Pick<ProjectorOptions, 'onWarning'> = {},
      store = its.tested.store,
    ): Promise<Projector> => its.start({ app: post(projected), store, ...more }),
    named: (id: string, to: string): Promise<number> =>
      its.append('person', id, PersonEvents.PersonNamed({ name: to })),
    async caughtUp(projector: Projector): Promise<void> {
      const { position } = await its.log.head()
      await until(async () => (await projector.status()).every(status => status.position >= position))
    },
    viewOf,
    peopleOf,
    storedIn,
    async retryPeople(projected: Parcels): Promise<void> {
      const { letters } = await peopleOf(projected)
      await letters.request('retry-all')
      await until(async () => (await letters.openRequests()) === 0)
    },
    async isRight(projected: Parcels): Promise<boolean> {
      const { rows } = await storedIn(projected)
      return isDeepStrictEqual(sorted(rows), sorted(expectedParcels(await eventsOf(its.log))))
    },
    async expectRight(projected: Parcels): Promise<void> {
      const expected = expectedParcels(await eventsOf(its.log))
      const { rows, sums } = await storedIn(projected)
      expect(sorted(rows)).toEqual(sorted(expected))
      expect(sorted(sums)).toEqual(its.tested.isApart === true ? [] : sorted(expectedSums(expected)))
    },
    sorted,
  }
}

const sorted = (rows: Iterable<readonly [string, string]>) => [...rows].toSorted(([a], [b]) => (a < b ? -1 : 1))
