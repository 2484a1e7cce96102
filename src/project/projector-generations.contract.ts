import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { app, type BifoldError, events, projection } from '../define/index.ts'
import { defaultTenant } from '../log/index.ts'
import type { Projector, ProjectorOptions, ProjectorSettings } from './projector.ts'
import { type ProjectorUnderTest, projectorUnderTest, statusWhere } from './projector-under-test.contract.ts'
import type { ProjectionStatus } from './status.ts'
import type { ViewStore } from './store.ts'
import { viewShapeOf } from './view-shape.ts'

const Steps = events('step', { Stepped: z.object({ by: z.int() }) })
const state = z.object({ sum: z.int() })

/** Twice as long as a generation that has caught up waits for the next look. */
const twoLooksMs = 500

let names = 0
const newName = (): string => `stepped-${++names}`

/** The same rows in each version, `factor` times as large. */
function stepped(name: string, version: number, { shards = 1, factor = version } = {}) {
  return projection(name, {
    from: [Steps],
    version,
    shards,
    state,
    on: {
      Stepped: (row, e) => {
        if (e.data.by === 666 && version === 13) throw new Error('unlucky')
        return { sum: (row?.sum ?? 0) + e.data.by * factor }
      },
    },
  })
}
/** An old release, whose rows look otherwise. */
const counted = (name: string) =>
  projection(name, {
    from: [Steps],
    state: z.object({ count: z.int() }),
    on: { Stepped: row => ({ count: (row?.count ?? 0) + 1 }) },
  })
type Stepped = ReturnType<typeof stepped> | ReturnType<typeof counted>

/** What every log and store must let a projector do with several generations of a view. */
export function projectorGenerationsContract(name: string, make: () => Promise<ProjectorUnderTest>): void {
  describe(`one generation after another: ${name}`, () => {
    const its = projectorUnderTest(make, app('steps', { events: [Steps] }), {
      retry: { minDelayMs: 1, maxDelayMs: 20 },
    })

    const append = (...amounts: readonly number[]): Promise<number> =>
      its.append('step', 'a', ...amounts.map(by => Steps.Stepped({ by })))
    const start = (
      projected: Stepped,
      settings: ProjectorSettings & Pick<ProjectorOptions, 'onWarning'> = {},
      store = its.tested.store,
    ): Promise<Projector> =>
      its.start({ app: app('steps', { projections: [projected], events: [Steps] }), store, ...settings })
    async function sumIn(projected: Stepped): Promise<number> {
      const view = await its.tested.store.open(viewShapeOf(projected))
      const [row] = (await view.get([{ tenant: defaultTenant, key: 'a' }])).value
      return (JSON.parse(row ?? '{}') as { sum: number }).sum
    }
    const rolesOf = ({ generations }: ProjectionStatus) => generations.map(({ generation, role }) => [generation, role])
    const serves = (projector: Projector, generation: number) =>
      statusWhere(projector, status => status.generation === generation && status.behind === 0)

    test('a new version serves as soon as it has caught up, and the one before is followed by who knows it', async () => {
      const name = newName()
      await append(1, 2)
      const before = await start(stepped(name, 1))
      await serves(before, 1)
      const after = await start(stepped(name, 2, { shards: 3 }), {}, its.tested.other)
      await serves(after, 2)
      await append(3)
      const status = await serves(after, 2)
      expect(rolesOf(status)).toEqual([
        [1, 'following'],
        [2, 'serving'],
      ])
      expect(status.generations[0]?.state).toBeUndefined()
      const older = await statusWhere(before, ({ generations }) => generations.every(({ behind }) => behind === 0))
      expect(older.generations[0]?.state).toBe('live')
      const [before1, after2] = await Promise.all([sumIn(stepped(name, 1)), sumIn(stepped(name, 2, { shards: 3 }))])
      expect(after2).toBe(2 * before1)
    })

    test('one that is dropped before others know that it is followed again is made anew', async () => {
      const name = newName()
      await append(1, 2)
      const { store } = its.tested
      await store.open(viewShapeOf(stepped(name, 1)))
      const { generation } = await store.open(viewShapeOf(stepped(name, 2)))
      await store.activate(name, generation)
      let isGone = false
      const late: ViewStore = {
        ...store,
        beat: async beat => {
          if (!isGone) expect(await its.tested.other.drop(name, 1)).toBe('dropped')
          isGone = true
          return store.beat(beat)
        },
      }
      const projector = await start(stepped(name, 1), {}, late)
      const isBuilt = ({ generations }: ProjectionStatus) =>
        generations.some(one => one.generation === 3 && one.behind === 0)
      await statusWhere(projector, isBuilt)
      expect(await sumIn(stepped(name, 1))).toBeGreaterThan(0)
    })

    test('one that was swapped away from by hand does not come back by itself', async () => {
      const name = newName()
      const before = await start(stepped(name, 1))
      const after = await start(stepped(name, 2), {}, its.tested.other)
      await serves(after, 2)
      await append(1)
      await statusWhere(before, ({ generations }) => generations.every(({ behind }) => behind === 0))
      expect(await its.tested.store.activate(name, 1)).toEqual({ kind: 'activated' })
      const backAgain = ({ generation, generations }: ProjectionStatus) =>
        generation === 1 && generations.every(({ behind }) => behind === 0)
      await statusWhere(after, backAgain)
      await append(1)
      await new Promise(resolve => setTimeout(resolve, twoLooksMs))
      expect(rolesOf(await statusWhere(after, backAgain))).toEqual([
        [1, 'serving'],
        [2, 'following'],
      ])
    })

    const short = { rebuild: { returnAfterMs: 50 } } as const

    test('one that nobody follows any more gives way to one that is followed, and comes back with its release', async () => {
      const name = newName()
      const before = await start(stepped(name, 1), short)
      const after = await start(stepped(name, 2, { shards: 3 }), short, its.tested.other)
      await serves(after, 2)
      await append(1)
      await serves(before, 2)
      await after.stop()
      await append(2)
      await serves(before, 1)
      // It is as if it had never been: it was not swapped away from by hand.
      await start(stepped(name, 2, { shards: 3 }), short, its.tested.other)
      await append(3)
      expect(rolesOf(await serves(before, 2))).toEqual([
        [1, 'following'],
        [2, 'serving'],
      ])
    })

    test('one whose processes are started again goes on serving', async () => {
      const name = newName()
      const before = await start(stepped(name, 1))
      const after = await start(stepped(name, 2), {}, its.tested.other)
      await serves(after, 2)
      await after.stop()
      await append(1)
      const unfollowed = ({ generations }: ProjectionStatus) => generations[1]?.followed === false
      await statusWhere(before, unfollowed)
      await new Promise(resolve => setTimeout(resolve, twoLooksMs))
      await start(stepped(name, 2), {}, its.tested.other)
      expect(rolesOf(await serves(before, 2))).toEqual([
        [1, 'following'],
        [2, 'serving'],
      ])
    })

    test('one that was swapped away from by hand comes back where nobody follows the other one', async () => {
      const name = newName()
      const before = await start(stepped(name, 1), short)
      const after = await start(stepped(name, 2), short, its.tested.other)
      await serves(after, 2)
      await statusWhere(before, ({ generations }) => generations.every(({ behind }) => behind === 0))
      expect(await its.tested.store.activate(name, 1)).toEqual({ kind: 'activated' })
      await serves(after, 1)
      await before.stop()
      await append(1)
      await serves(after, 2)
    })

    test('where swaps are left to hands, it is told that nobody follows the one that serves', async () => {
      const name = newName()
      const warnings: BifoldError[] = []
      const manual = { rebuild: { swap: 'manual', returnAfterMs: 50 } } as const
      const before = await start(stepped(name, 1), { ...manual, onWarning: one => warnings.push(one) })
      const after = await start(stepped(name, 2), manual, its.tested.other)
      await statusWhere(after, ({ generations }) => generations.every(({ behind }) => behind === 0))
      expect(await its.tested.store.activate(name, 2)).toEqual({ kind: 'activated' })
      await serves(before, 2)
      await after.stop()
      await append(1)
      const code = 'project/serving-unfollowed'
      const { generation } = await statusWhere(before, ({ warning }) => warning?.code === code)
      expect(generation).toBe(2)
      while (warnings.length === 0) await new Promise(resolve => setTimeout(resolve, 5))
      await new Promise(resolve => setTimeout(resolve, twoLooksMs))
      expect(warnings.map(warning => [warning.code, warning.data])).toEqual([
        [code, { projection: name, serving: 2, generation: 1 }],
      ])
      expect(await before.failureOf(name)).toBe(code)
      expect(await its.tested.store.activate(name, 1)).toEqual({ kind: 'activated' })
      await serves(before, 1)
      expect((await statusWhere(before, () => true)).warning).toBeUndefined()
    })

    test('a swap by hand is left to hands', async () => {
      const name = newName()
      const settings = { rebuild: { swap: 'manual' } } as const
      await start(stepped(name, 1), settings)
      const after = await start(stepped(name, 2), settings, its.tested.other)
      await append(1)
      const { generation, generations } = await statusWhere(after, ({ generations: all }) =>
        all.every(({ behind }) => behind === 0),
      )
      expect([generation, generations.at(-1)?.role]).toEqual([1, 'building'])
      expect(await its.tested.other.activate(name, 2)).toEqual({ kind: 'activated' })
      await serves(after, 2)
    })

    test('a version in which keys are parked does not take the place of one without by itself', async () => {
      const name = newName()
      const before = await start(stepped(name, 1))
      await append(666)
      await statusWhere(before, ({ state, behind }) => state === 'live' && behind === 0)
      const after = await start(stepped(name, 13), {}, its.tested.other)
      await append(1)
      const { generations } = await statusWhere(
        after,
        ({ generations: all }) => all.every(({ behind }) => behind === 0) && all.at(-1)?.parkedKeys === 1,
      )
      expect(generations.map(({ role, parkedKeys }) => [role, parkedKeys])).toEqual([
        ['serving', undefined],
        ['building', 1],
      ])
      await new Promise(resolve => setTimeout(resolve, twoLooksMs))
      expect((await statusWhere(before, ({ behind }) => behind === 0)).generation).toBe(1)
      expect(await its.tested.store.activate(name, 2)).toEqual({ kind: 'activated' })
      await serves(after, 2)
    })

    test('of one definition that is rebuilt again and again, the last one that served is kept', async () => {
      const name = newName()
      const projected = stepped(name, 1)
      const projector = await start(projected, { rebuild: { retireAfterMs: 1 } })
      await append(1)
      for (const generation of [2, 3, 4]) {
        await its.tested.store.rebuild(viewShapeOf(projected))
        await serves(projector, generation)
      }
      const status = await statusWhere(projector, ({ generations }) => generations.length === 2)
      expect(rolesOf(status)).toEqual([
        [3, 'following'],
        [4, 'serving'],
      ])
      await append(1)
      await statusWhere(projector, ({ generations }) => generations.every(({ behind }) => behind === 0))
    })

    test('generations that nobody follows are dropped, but for the last one that served', async () => {
      const name = newName()
      const settings = { rebuild: { retireAfterMs: 1 } }
      for (const version of [1, 2, 3]) {
        const projector = await start(version === 1 ? counted(name) : stepped(name, version), settings)
        await serves(projector, version)
        await append(1)
      }
      const [first, second] = its.started
      const looked = await statusWhere(its.started.at(-1) as Projector, ({ generations }) =>
        generations.every(one => one.followed),
      )
      expect(looked.generations).toHaveLength(3)
      await second?.stop()
      await first?.stop()
      const projector = its.started.at(-1) as Projector
      const status = await statusWhere(projector, ({ generations }) => generations.length === 2)
      expect(rolesOf(status)).toEqual([
        [2, 'following'],
        [3, 'serving'],
      ])
    })
  })
}
