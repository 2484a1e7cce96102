import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { app, events, projection } from '../define/index.ts'
import { createLog, defaultTenant, type EventLog, origin } from '../log/index.ts'
import type { ProjectorLimits } from './limits.ts'
import type { ProjectorUnderTest } from './projector.contract.ts'
import { type Projector, startProjector } from './projector.ts'
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
    let tested: ProjectorUnderTest
    let log: EventLog
    let started: Projector[] = []
    beforeAll(async () => {
      tested = await make()
      log = await createLog(tested.log, { eventTypes: app('moves', { events: [Moves] }).eventTypes })
    })
    afterEach(async () => {
      await Promise.all(started.map(projector => projector.stop()))
      started = []
    })
    afterAll(async () => {
      await log.close()
      await tested.close()
    })

    const accounts = Array.from({ length: 23 }, (_, n) => (n % 2 === 0 ? `account-${n}` : `größe ${n}`))
    const append = async (count: number): Promise<void> => {
      const stream = { tenant: defaultTenant, category: 'move', id: 'all' }
      const account = (n: number): string => accounts[n % accounts.length] as string
      for (let n = 0; n < count; n += 20) {
        const moves = Array.from({ length: Math.min(20, count - n) }, (_, at) =>
          (n + at) % 37 === 36
            ? Moves.Closed({ account: account(n + at) })
            : Moves.Moved({ from: account((n + at) * 5), to: account((n + at) * 11 + 1), amount: n + at }),
        )
        await log.append({ stream, expected: 'any', events: moves })
      }
    }
    async function start(
      projected: Balances,
      limits: Partial<ProjectorLimits> = {},
      store: ViewStore = tested.store,
    ): Promise<Projector> {
      const projector = await startProjector({
        app: app('moves', { projections: [projected], events: [Moves] }),
        log,
        store,
        retry: { minDelayMs: 1, maxDelayMs: 20 },
        ...limits,
      })
      started.push(projector)
      return projector
    }
    async function statusWhere(
      projector: Projector,
      is: (status: ProjectionStatus) => boolean,
    ): Promise<ProjectionStatus> {
      for (;;) {
        const [status] = await projector.status()
        if (status !== undefined && is(status)) return status
        await new Promise(resolve => setTimeout(resolve, 5))
      }
    }
    const caughtUp = (projector: Projector): Promise<ProjectionStatus> =>
      statusWhere(projector, ({ behind, state }) => behind === 0 && state === 'live')
    async function rowsOf(projected: Balances): Promise<ReadonlyMap<string, string>> {
      const view = await tested.store.open(viewShapeOf(projected))
      return view.load(accounts.map(key => ({ tenant: defaultTenant, key })))
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
      const { generation, shards } = await caughtUp(await start(after))
      expect([generation, shards.length]).toEqual([2, 5])
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
      const from = (await log.head()).position
      const projector = await start(projected)
      await append(120)
      const head = (await log.head()).position
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
      expect(projector.failureOf(projected.name)).toBe('project/fold-failed')
      expect(projector.failureOf(projected.name, [badShard])).toBe('project/fold-failed')
      expect(projector.failureOf(projected.name, [(badShard + 1) % shards])).toBeUndefined()
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
        shards.every(({ state }) => state === 'failed'),
      )
      for (const { failure } of failed.shards) expect(failure?.code).toBe('project/fold-failed')
    })

    test('shards of one projection may be carried on by two processes', async () => {
      const projected = balances(3)
      await append(30)
      const first = await start(projected, { takeoverMs: 60_000 })
      await caughtUp(first)
      const view = await tested.other.open(viewShapeOf(projected))
      const { epoch, ...at } = await view.claim(1)
      await append(30)
      const taken = await statusWhere(first, ({ shards }) => shards[1]?.failure?.code === 'project/superseded')
      expect(taken.state).toBe('stopped')
      const head = await log.head()
      await statusWhere(first, ({ shards }) => [0, 2].every(shard => shards[shard]?.position === head.position))
      expect(await view.checkpoint(1)).toEqual({ ...at, epoch })
      expect(at).not.toEqual(origin)
    })
  })
}
