import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { app, events, projection } from '../define/index.ts'
import { createLog, defaultTenant, type EventLog } from '../log/index.ts'
import type { ProjectorLimits } from './limits.ts'
import type { Projector } from './projector.ts'
import { docsOf, type ProjectorUnderTest, projectorUnderTest, statusWhere } from './projector-under-test.contract.ts'
import { shardOf } from './shard-of.ts'
import type { ProjectionStatus } from './status.ts'
import type { ViewStore } from './store.ts'
import { viewShapeOf } from './view-shape.ts'

const Moves = events('move', {
  Moved: z.object({ from: z.string(), to: z.string(), amount: z.int() }),
  Closed: z.object({ account: z.string() }),
})

let names = 0
const newName = (): string => `balances-${++names}`

/** An event touches two rows, which may be in two shards. `guard` sees each row's event before it is folded. */
function balances(
  shards: number,
  name = newName(),
  guard: (key: string, position: number) => void = () => undefined,
  version = 1,
) {
  return projection(name, {
    from: [Moves],
    shards,
    version,
    state: z.object({ balance: z.int(), last: z.string(), seen: z.array(z.int()) }),
    key: { Moved: e => [e.data.from, e.data.to], Closed: e => e.data.account },
    on: {
      Moved: (row, e, key) => {
        guard(key, e.position)
        const change = (key === e.data.to ? e.data.amount : 0) - (key === e.data.from ? e.data.amount : 0)
        const seen = [...(row?.seen ?? []), e.position].slice(-3)
        return { balance: (row?.balance ?? 0) + change, last: e.recordedAt, seen }
      },
      Closed: () => null,
    },
  })
}
type Balances = ReturnType<typeof balances>

/** What every log and store must let a projector do with shards. */
export function projectorShardsContract(name: string, make: () => Promise<ProjectorUnderTest>): void {
  describe(`shards of a projection: ${name}`, () => {
    const its = projectorUnderTest(make, app('moves', { events: [Moves] }), {
      retry: { minDelayMs: 1, maxDelayMs: 20 },
    })

    const accounts = Array.from({ length: 23 }, (_, n) => (n % 2 === 0 ? `account-${n}` : `größe ${n}`))
    const append = async (count: number): Promise<void> => {
      const account = (n: number): string => accounts[n % accounts.length] as string
      for (let n = 0; n < count; n += 20) {
        const moves = Array.from({ length: Math.min(20, count - n) }, (_, at) =>
          (n + at) % 37 === 36
            ? Moves.Closed({ account: account(n + at) })
            : Moves.Moved({ from: account((n + at) * 5), to: account((n + at) * 11 + 1), amount: n + at }),
        )
        await its.append('move', 'all', ...moves)
      }
    }
    const start = (
      projected: Balances,
      limits: Partial<ProjectorLimits> = {},
      store: ViewStore = its.tested.store,
    ): Promise<Projector> =>
      its.start({ app: app('moves', { projections: [projected], events: [Moves] }), store, ...limits })
    const caughtUp = (projector: Projector, inGeneration = 1): Promise<ProjectionStatus> =>
      statusWhere(
        projector,
        ({ generation, behind, state }) => generation === inGeneration && behind === 0 && state === 'live',
      )
    async function rowsOf(projected: Balances): Promise<ReadonlyMap<string, string>> {
      const view = await its.tested.store.open(viewShapeOf(projected))
      return docsOf(await view.load(accounts.map(key => ({ tenant: defaultTenant, key }))))
    }

    test('rows are the same to the byte in one shard and in any number, live and from zero', async () => {
      const live = [1, 2, 3, 7].map(shards => balances(shards))
      const running = []
      for (const one of live) running.push(await start(one, { minBatchEvents: 3, maxBatchEvents: 11, turnEvents: 2 }))
      await append(300)
      for (const projector of running) await caughtUp(projector)
      const late = balances(16)
      const status = await caughtUp(await start(late))
      expect(status.shards.map(({ shard, state }) => [shard, state])).toEqual(status.shards.map((_, n) => [n, 'live']))
      const expected = await rowsOf(live[0] as Balances)
      expect(expected.size).toBeGreaterThan(10)
      for (const projected of [...live, late]) expect(await rowsOf(projected)).toEqual(expected)
    })

    test('another number of shards is a generation of its own, with the same rows', async () => {
      const name = newName()
      const before = balances(2, name)
      await append(40)
      await caughtUp(await start(before))
      const after = balances(5, name)
      const { shards } = await caughtUp(await start(after), 2)
      expect(shards).toHaveLength(5)
      expect(await rowsOf(after)).toEqual(await rowsOf(before))
    })

    test('a shard that fails holds up no other one, and the projection stands where it stands', async () => {
      const shards = 4
      const bad = accounts[0] as string
      const badShard = shardOf({ tenant: defaultTenant, key: bad }, shards)
      let isBroken = true
      const guard = (key: string, position: number): void => {
        if (isBroken && key === bad && position > from) throw new Error('a-secret')
      }
      const projected = balances(shards, newName(), guard)
      const from = (await its.log.head()).position
      const projector = await start(projected, { foldAttempts: 1_000_000 })
      await append(120)
      const head = (await its.log.head()).position
      const failed = await statusWhere(
        projector,
        status =>
          status.state === 'failed' &&
          status.shards.every(({ shard, position }) => shard === badShard || position === head),
      )
      const stuck = failed.shards[badShard]
      expect(stuck).toMatchObject({ state: 'failed', failure: { code: 'project/fold-failed' } })
      expect(failed.position).toBe(stuck?.position)
      expect(failed.position).toBeLessThan(head)
      expect(failed.failure?.code).toBe('project/fold-failed')
      expect(await projector.failureOf(projected.name)).toBe('project/fold-failed')
      expect(await projector.failureOf(projected.name, [badShard])).toBe('project/fold-failed')
      expect(await projector.failureOf(projected.name, [(badShard + 1) % shards])).toBeUndefined()
      isBroken = false
      await caughtUp(projector)
      const whole = balances(1)
      await caughtUp(await start(whole))
      expect(await rowsOf(projected)).toEqual(await rowsOf(whole))
    })

    test('a key that throws stops every shard, since it has none', async () => {
      const projected = {
        ...balances(3),
        key: {
          Moved: () => {
            throw new Error('a-secret')
          },
          Closed: () => 'x',
        },
      }
      await append(1)
      const failed = await statusWhere(await start(projected), ({ shards }) =>
        shards.every(({ state }) => state === 'stopped'),
      )
      for (const { failure } of failed.shards) expect(failure?.code).toBe('project/key-failed')
    })

    test('the shards of one projection are divided between the processes that carry it on', async () => {
      const projected = balances(4)
      await append(30)
      const first = await start(projected)
      await caughtUp(first)
      const second = await start(projected, {}, its.tested.other)
      const own = ({ shards }: ProjectionStatus, owner: string): readonly number[] =>
        shards.filter(shard => shard.owner === owner && shard.state === 'live').map(({ shard }) => shard)
      const isFair = (projector: Projector) => (status: ProjectionStatus) => own(status, projector.owner).length === 2
      const shared = [
        ...own(await statusWhere(first, isFair(first)), first.owner),
        ...own(await statusWhere(second, isFair(second)), second.owner),
      ]
      expect(shared.toSorted((a, b) => a - b)).toEqual([0, 1, 2, 3])
      await append(60)
      for (const projector of [first, second]) await statusWhere(projector, ({ behind }) => behind === 0)
      const whole = balances(1)
      await caughtUp(await start(whole))
      expect(await rowsOf(projected)).toEqual(await rowsOf(whole))
    })

    test('no process carries on more shards than it has room for, and what nobody has room for stands by', async () => {
      const projected = balances(4)
      const states = ({ shards }: ProjectionStatus, owner: string) => ({
        own: shards.filter(shard => shard.owner === owner && shard.state === 'live').length,
        nobodys: shards.filter(shard => shard.owner === undefined && shard.state === 'standby').length,
      })
      const first = await start(projected, { maxShards: 1 })
      await statusWhere(first, status => {
        const { own, nobodys } = states(status, first.owner)
        expect(own).toBeLessThanOrEqual(1)
        return own === 1 && nobodys === 3
      })
      const second = await start(projected, { maxShards: 2 }, its.tested.other)
      await statusWhere(second, status => {
        const { own, nobodys } = states(status, second.owner)
        expect(own).toBeLessThanOrEqual(2)
        return own === 2 && nobodys === 1
      })
      expect(states((await first.status())[0] as ProjectionStatus, first.owner).own).toBe(1)
    })

    const loads = [
      ['page by page', Number.POSITIVE_INFINITY],
      ['at once', 1],
    ] as const
    test.for(loads)('of a long log each process reads the streams of its own shards, %s', async ([, minEvents]) => {
      const projected = projection(newName(), {
        from: [Moves],
        shards: 8,
        state: z.object({ seen: z.array(z.int()) }),
        on: {
          Moved: (row, { position }) => ({ seen: [...(row?.seen ?? []), position] }),
          Closed: row => row,
        },
      })
      const ids = Array.from({ length: 40 }, (_, n) => `ströme-${minEvents}-${n}`)
      const expected = new Map<string, number[]>(ids.map(id => [id, []]))
      for (let n = 0; n < 400; n++) {
        const id = ids[(n * 7) % ids.length] as string
        const outcome = await its.log.append({
          stream: { tenant: defaultTenant, category: 'move', id },
          expected: 'any',
          events: [Moves.Moved({ from: 'a', to: 'b', amount: 1 })],
        })
        if (outcome.kind === 'appended') expected.get(id)?.push(outcome.head.position)
      }
      const reading = app('moves', { projections: [projected], events: [Moves] })
      const logs: EventLog[] = []
      const strays: string[] = []
      let filtered = 0
      let left = 0
      /** A process whose pages are small, and that holds next to nothing of the log. */
      const process = async (store: ViewStore): Promise<Projector> => {
        const own = await createLog(its.tested.log, { eventTypes: reading.eventTypes, windowEvents: 2 })
        logs.push(own)
        const read: EventLog['read'] = async (from, options = {}) => {
          const page = await own.read(from, options)
          const { shards } = options
          // What is held of the tail costs nothing, and is given out whole.
          if (shards === undefined || shards.count === 1 || page.through.position > shards.upTo || page.atHead)
            return page
          filtered++
          left += page.through.position - from.position - page.events.length
          const isOwn = (key: string): boolean => shards.own.includes(shardOf({ tenant: defaultTenant, key }, 8))
          strays.push(...page.events.map(({ streamId }) => streamId).filter(id => !isOwn(id)))
          return page
        }
        const limits = { minBatchEvents: 5, maxBatchEvents: 5, stretchEvents: 10, maxShards: 4, rebuild: { minEvents } }
        return its.start({ app: reading, log: { ...own, read }, store, ...limits })
      }
      await its.tested.store.pause(projected.name)
      const started = [await process(its.tested.store), await process(its.tested.other)]
      await its.tested.store.resume(projected.name)
      for (const projector of started) await statusWhere(projector, ({ behind }) => behind === 0)
      const view = await its.tested.store.open(viewShapeOf(projected))
      const found = await view.load(ids.map(key => ({ tenant: defaultTenant, key })))
      const rows = Array.from(docsOf(found).values(), doc => (JSON.parse(doc) as { seen: number[] }).seen)
      const byFirst = (one: readonly number[], other: readonly number[]) => (one[0] ?? 0) - (other[0] ?? 0)
      expect(rows.toSorted(byFirst)).toEqual([...expected.values()].toSorted(byFirst))
      expect(strays).toEqual([])
      expect(filtered).toBeGreaterThan(0)
      expect(left).toBeGreaterThan(100)
      await Promise.all(started.map(projector => projector.stop()))
      await Promise.all(logs.map(one => one.close()))
    })

    test('rows made with others follow these also where their streams are of shards that another process has', async () => {
      const People = projection(`${newName()}-people`, {
        from: [Moves],
        key: { Closed: ({ data }) => data.account },
        state: z.object({ at: z.int() }),
        on: { Closed: (_, { position }) => ({ at: position }) },
      })
      const name = newName()
      const Made = projection(name, {
        from: [Moves],
        shards: 4,
        state: z.object({ to: z.string() }),
        on: { Moved: (_, { data }) => ({ to: data.to }) },
        refs: { to: { to: People, key: ({ to }) => to } },
        row: z.object({ at: z.int().nullable() }),
        present: (_, { to }) => ({ at: to?.at ?? null }),
      })
      const reading = app('moves', { projections: [People, Made], events: [Moves] })
      const own = await createLog(its.tested.log, { eventTypes: reading.eventTypes, windowEvents: 2 })
      const put = async (id: string, event: ReturnType<typeof Moves.Moved | typeof Moves.Closed>) => {
        const outcome = await own.append({
          stream: { tenant: defaultTenant, category: 'move', id },
          expected: 'any',
          events: [event],
        })
        return outcome.kind === 'appended' ? outcome.head.position : 0
      }
      const limits = { minBatchEvents: 5, maxBatchEvents: 5, stretchEvents: 20, emptyMoveMs: 1, maxShards: 3 }
      const projector = await its.start({ app: reading, log: own, ...limits })
      const made = async () =>
        (await projector.status()).find(({ projection: one }) => one === name) as ProjectionStatus
      const carriedOf = ({ shards }: ProjectionStatus): readonly number[] =>
        shards.filter(({ owner }) => owner === projector.owner).map(({ shard }) => shard)
      // One for the view referred to, two for this one.
      while (carriedOf(await made()).length !== 2) await new Promise(resolve => setTimeout(resolve, 5))
      const carried = carriedOf(await made())
      const idIn = (isOwn: boolean, prefix: string): string => {
        for (let n = 0; ; n++) {
          const key = `${prefix}-${n}`
          if (carried.includes(shardOf({ tenant: defaultTenant, key }, 4)) === isOwn) return key
        }
      }
      const stands = async (): Promise<number> =>
        Math.min(...(await made()).shards.filter(({ shard }) => carried.includes(shard)).map(one => one.position))
      const account = `${name}-account`
      const theirs = idIn(false, `${name}-theirs`)
      const mine = idIn(true, `${name}-mine`)
      await put(theirs, Moves.Closed({ account }))
      let head = await put(mine, Moves.Moved({ from: 'a', to: account, amount: 1 }))
      // What comes then is of one stretch, and not of the first.
      for (let n = 0; n < 20 || head % 20 !== 4; n++)
        head = await put(`${name}-more-${n}`, Moves.Moved({ from: 'a', to: account, amount: 1 }))
      while ((await stands()) < head) await new Promise(resolve => setTimeout(resolve, 5))
      await its.tested.store.pause(People.name)
      const changed = put(theirs, Moves.Closed({ account }))
      const others = Array.from({ length: 3 }, (_, n) =>
        put(idIn(true, `${name}-later-${n}`), Moves.Moved({ from: 'a', to: 'nobody', amount: 1 })),
      )
      const at = await changed
      await Promise.all(others)
      // Long enough to go wrong, where it may.
      await new Promise(resolve => setTimeout(resolve, 200))
      await its.tested.store.resume(People.name)
      head = (await own.head()).position
      while ((await stands()) < head) await new Promise(resolve => setTimeout(resolve, 5))
      const view = await its.tested.store.open(viewShapeOf(Made, reading.projections))
      const { value } = await view.get([{ tenant: defaultTenant, key: mine }])
      expect(JSON.parse(value[0] ?? 'null')).toEqual({ at })
      await projector.stop()
      await own.close()
    })

    test('what stops a shard that another process has is known here too, and that it goes on', async () => {
      const name = newName()
      const from = (await its.log.head()).position
      let isBroken = true
      const guard = (_: string, position: number): void => {
        if (isBroken && position > from) throw new Error('a-secret')
      }
      const limits = { leaseMs: 5000, foldAttempts: 1_000_000 }
      const here = await start(balances(2, name), limits)
      await caughtUp(here)
      const there = await start(balances(2, name, guard), limits, its.tested.other)
      const own = ({ shards }: ProjectionStatus) => shards.findIndex(({ owner }) => owner === here.owner)
      const isShared = ({ shards }: ProjectionStatus): boolean => shards.some(({ owner }) => owner === there.owner)
      const mine = own(await statusWhere(here, isShared))
      await append(60)
      const failed = await statusWhere(here, ({ state }) => state === 'failed')
      expect(failed.failure).toMatchObject({ code: 'project/fold-failed', event: { type: 'Moved' } })
      expect(failed.shards[1 - mine]).toMatchObject({ state: 'standby', failure: { code: 'project/fold-failed' } })
      expect(failed.shards[mine]?.failure).toBeUndefined()
      expect(await here.failureOf(name)).toBe('project/fold-failed')
      expect(await here.failureOf(name, [1 - mine])).toBe('project/fold-failed')
      expect(await here.failureOf(name, [mine])).toBeUndefined()
      isBroken = false
      const { failure } = await statusWhere(here, ({ state, behind }) => state === 'live' && behind === 0)
      expect(failure).toBeUndefined()
    })
  })
}
