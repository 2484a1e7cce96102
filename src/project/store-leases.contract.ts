import { describe, expect, test } from 'vitest'
import { origin } from '../log/index.ts'
import type { Beat, Holdings } from './leases.ts'
import type { StoreUnderTest } from './store.contract.ts'
import type { View } from './store.ts'
import { at, newName, things, upsert } from './things.contract.ts'
import { viewShapeOf } from './view-shape.ts'

const longMs = 600_000
const shortMs = 20

let owners = 0
/** A process of its own. */
const newOwner = (): string => `owner-${++owners}`

/** What every view store must hold of leases. Times are the store's own, so that a short lease is waited for. */
export function leasesContract(tested: () => StoreUnderTest): void {
  describe('leases', () => {
    const open = async (shards = 1): Promise<[View, View]> => {
      const shape = viewShapeOf(things(newName(), 1, shards))
      return [await tested().store.open(shape), await tested().other.open(shape)]
    }
    const beatOf = (owner: string, views: readonly View[], leaseMs = longMs): Beat => ({
      owner,
      leaseMs,
      views: views.map(({ projection, generation, shards }) => ({ projection, generation, shards })),
    })
    const beat = (owner: string, views: readonly View[], leaseMs = longMs): Promise<Holdings> =>
      tested().store.beat(beatOf(owner, views, leaseMs))
    const leasesOf = ({ leases }: Holdings, { projection }: View): readonly string[] =>
      leases
        .filter(lease => lease.projection === projection)
        .map(({ generation, shard, owner }) => `${generation}/${shard} ${owner}`)
        .toSorted()
    async function until(holds: () => Promise<boolean>): Promise<void> {
      while (!(await holds())) await new Promise(resolve => setTimeout(resolve, 5))
    }
    /** Waits until the store's clock has passed a lease that is given now. */
    async function passed(leaseMs: number): Promise<void> {
      const [view] = await open()
      await view.take(0, newOwner(), leaseMs)
      const next = newOwner()
      await until(async () => (await view.take(0, next, longMs)) !== undefined)
    }

    test('a shard that nobody holds is taken, and nobody else takes it while the lease lasts', async () => {
      const [view, other] = await open(2)
      const [one, two] = [newOwner(), newOwner()]
      expect(await view.take(1, one, longMs)).toEqual({ ...origin, epoch: 1 })
      expect(await other.take(1, two, longMs)).toBeUndefined()
      expect(await view.checkpoint(1)).toEqual({ ...origin, epoch: 1 })
      expect(await other.take(0, two, longMs)).toEqual({ ...origin, epoch: 1 })
      expect(leasesOf(await beat(newOwner(), []), view)).toEqual([`1/0 ${two}`, `1/1 ${one}`])
    })

    test('who has a shard takes it again, and is fenced under its epoch of before', async () => {
      const [view] = await open()
      const owner = newOwner()
      const first = await view.take(0, owner, longMs)
      expect(await view.take(0, owner, longMs)).toEqual({ ...origin, epoch: 2 })
      const commit = { shard: 0, from: origin, to: at(1), upserts: [upsert('k')], deletes: [] }
      expect(await view.commit({ ...commit, epoch: first?.epoch ?? 0 })).toBe('fenced')
      expect(await view.commit({ ...commit, epoch: 2 })).toBe('committed')
    })

    test('what its owner could not give up of a view that it carries on no more runs out, and the rest is renewed', async () => {
      const [[left, other], [carried]] = [await open(), await open()]
      const owner = newOwner()
      const brief = 200
      await left.take(0, owner, brief)
      await carried.take(0, owner, brief)
      const next = newOwner()
      await until(async () => {
        await beat(owner, [carried], brief)
        return (await other.take(0, next, longMs)) !== undefined
      })
      expect(leasesOf(await beat(owner, [carried], longMs), carried)).toEqual([`1/0 ${owner}`])
    })

    test('a lease that has run out may be taken, and fences who had it', async () => {
      const [view, other] = await open()
      const late = await view.take(0, newOwner(), shortMs)
      const next = newOwner()
      let taken: Awaited<ReturnType<View['take']>>
      await until(async () => {
        taken = await other.take(0, next, longMs)
        return taken !== undefined
      })
      expect(taken).toEqual({ ...origin, epoch: 2 })
      const commit = { shard: 0, from: origin, to: at(1), upserts: [upsert('k')], deletes: [] }
      expect(await view.commit({ ...commit, epoch: late?.epoch ?? 0 })).toBe('fenced')
    })

    test('of many that take one shard at once, one gets it', async () => {
      const [view, other] = await open()
      const takes = Array.from({ length: 20 }, (_, n) => (n % 2 === 0 ? view : other).take(0, newOwner(), longMs))
      const taken = (await Promise.all(takes)).filter(one => one !== undefined)
      expect(taken).toEqual([{ ...origin, epoch: 1 }])
    })

    test('a beat renews what its owner holds, also what had run out and nobody took', async () => {
      const [view, other] = await open()
      const owner = newOwner()
      await view.take(0, owner, shortMs)
      await passed(shortMs)
      expect(leasesOf(await beat(newOwner(), []), view)).toEqual([])
      expect(leasesOf(await beat(owner, [view]), view)).toEqual([`1/0 ${owner}`])
      expect(await other.take(0, newOwner(), longMs)).toBeUndefined()
      expect(await view.checkpoint(0)).toEqual({ ...origin, epoch: 1 })
    })

    test('a shard that is given up may be taken at once', async () => {
      const [view, other] = await open()
      const [one, two] = [newOwner(), newOwner()]
      await view.take(0, one, longMs)
      await view.release(0, one, 1)
      expect(await other.take(0, two, longMs)).toEqual({ ...origin, epoch: 2 })
    })

    test('who no longer holds a shard, or has taken it again since, gives nothing up', async () => {
      const [view, other] = await open()
      const [one, two] = [newOwner(), newOwner()]
      await view.take(0, one, longMs)
      await view.release(0, one, 1)
      await other.take(0, two, longMs)
      await view.release(0, one, 2)
      await view.release(0, two, 1)
      expect(leasesOf(await beat(newOwner(), []), view)).toEqual([`1/0 ${two}`])
    })

    test('a claim raises the epoch over the lease, and who has the lease takes the shard back', async () => {
      const [view, other] = await open()
      const owner = newOwner()
      await view.take(0, owner, longMs)
      expect(await other.claim(0)).toEqual({ ...origin, epoch: 2 })
      expect(await other.take(0, newOwner(), longMs)).toBeUndefined()
      expect(await view.take(0, owner, longMs)).toEqual({ ...origin, epoch: 3 })
    })

    test('the position that a take answers is the one that the last commit before it reached', async () => {
      const [view, other] = await open()
      let taking = newOwner()
      for (let round = 0; round < 5; round++) {
        const held = await view.take(0, taking, longMs)
        if (held === undefined) throw new Error('the shard is held')
        let position = held.position
        let fenced = false
        const committing = (async () => {
          while (!fenced) {
            const move = { from: at(position), to: at(position + 1), upserts: [upsert('k', {}, position + 1)] }
            fenced = (await view.commit({ shard: 0, epoch: held.epoch, ...move, deletes: [] })) === 'fenced'
            if (!fenced) position++
            // A store in memory answers within microtasks: everybody else has his turn here.
            await new Promise(resolve => setImmediate(resolve))
          }
        })()
        await until(async () => position > held.position + 3)
        await other.release(0, taking, held.epoch)
        taking = newOwner()
        const next = await other.take(0, taking, longMs)
        await committing
        expect(next).toEqual({ ...at(position), epoch: held.epoch + 1 })
      }
    })

    test('a generation that was dropped cannot be taken, and its leases are gone', async () => {
      const name = newName()
      await tested().store.open(viewShapeOf(things(name)))
      const second = await tested().store.open(viewShapeOf(things(name, 2)))
      const owner = newOwner()
      await second.take(0, owner, longMs)
      expect(await tested().other.drop(name, 2)).toBe('dropped')
      await expect(second.take(0, newOwner(), longMs)).rejects.toMatchObject({ code: 'project/generation-dropped' })
      await second.release(0, owner, 1)
      expect(leasesOf(await beat(newOwner(), []), second)).toEqual([])
    })

    test('members are those that beat, with what they know and want, until their next beat is overdue', async () => {
      const [view] = await open()
      const [one, two] = [newOwner(), newOwner()]
      await beat(one, [view], shortMs)
      await tested().other.beat({ ...beatOf(two, [view]), maxShards: 3 })
      const known = { projection: view.projection, generation: 1, shards: 1 }
      const { members } = await beat(newOwner(), [])
      expect(members.find(({ owner }) => owner === two)).toEqual({ owner: two, maxShards: 3, views: [known] })
      await passed(shortMs)
      const left = (await beat(two, [])).members.map(({ owner }) => owner)
      expect(left).not.toContain(one)
      expect(left).toContain(two)
      expect((await beat(newOwner(), [])).members.find(({ owner }) => owner === two)).toEqual({ owner: two, views: [] })
    })

    test('who leaves is a member no more, and gives up all that it had', async () => {
      const [view, other] = await open(2)
      const owner = newOwner()
      await beat(owner, [view])
      await view.take(0, owner, longMs)
      await view.take(1, owner, longMs)
      await tested().store.leave(owner)
      await tested().store.leave(newOwner())
      const { members, leases } = await beat(newOwner(), [])
      expect(members.map(member => member.owner)).not.toContain(owner)
      expect(leasesOf({ members, leases }, view)).toEqual([])
      expect(await other.take(1, newOwner(), longMs)).toEqual({ ...origin, epoch: 2 })
    })

    test('who listens hears of one that joins, learns of a view, lets go of a shard, or leaves, here and in another process', async () => {
      const [view] = await open()
      const { projection } = view
      const stores = [tested().store, tested().other]
      const heard = stores.map(() => 0)
      const ends = stores.map((store, n) =>
        store.onGenerations(name => {
          if (name === projection) heard[n] = (heard[n] ?? 0) + 1
        }),
      )
      const hears = async (change: () => Promise<unknown>): Promise<void> => {
        const before = [...heard]
        await change()
        await until(async () => heard.every((count, n) => count > (before[n] ?? 0)))
      }
      const owner = newOwner()
      // The other process begins to listen in its own time.
      while (heard.some(count => count === 0)) {
        await beat(newOwner(), [view])
        await new Promise(resolve => setTimeout(resolve, 20))
      }
      await hears(() => beat(owner, [view]))
      const [another] = await open()
      await hears(() => beat(owner, [view, another]))
      const held = await view.take(0, owner, longMs)
      await hears(() => view.release(0, owner, held?.epoch ?? 0))
      await hears(() => tested().store.leave(owner))
      for (const end of ends) end()
    })

    test('what a process says that stops a shard is known by its checkpoint, as long as it says so and has it', async () => {
      const [view, other] = await open(2)
      const [one, two] = [newOwner(), newOwner()]
      const failure = { code: 'project/fold-failed', message: 'a fold of "things" failed', attempts: 3, retryInMs: 5 }
      const say = (owner: string, stopped: readonly number[], leaseMs = longMs): Promise<Holdings> =>
        tested().store.beat({
          ...beatOf(owner, [view], leaseMs),
          failures: stopped.map(shard => ({ projection: view.projection, generation: 1, shard, failure })),
        })
      const known = async (): Promise<unknown> => {
        const [generation] = await tested().other.generations(view.projection)
        const found = await other.checkpoints()
        expect(generation?.checkpoints.map(at => at.failure)).toEqual(found.map(at => at.failure))
        return found.map(at => at.failure)
      }
      await view.take(0, one, longMs)
      await view.take(1, two, longMs)
      await say(one, [0, 1])
      expect(await known()).toEqual([failure, undefined])
      await say(two, [])
      expect(await known()).toEqual([failure, undefined])
      await say(one, [])
      expect(await known()).toEqual([undefined, undefined])
      await say(one, [0], shortMs)
      await passed(shortMs)
      expect(await known()).toEqual([undefined, undefined])
      await view.take(0, one, shortMs)
      await say(one, [0], shortMs)
      await passed(shortMs)
      await view.take(0, two, longMs)
      expect(await known()).toEqual([undefined, undefined])
      await say(two, [0])
      await view.take(0, two, longMs)
      expect(await known()).toEqual([failure, undefined])
      await tested().store.leave(two)
      expect(await known()).toEqual([undefined, undefined])
    })
  })
}
