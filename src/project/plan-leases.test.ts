import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type CarriedView, type Holdings, type Lease, type Member, type ShardRef, shardId } from './leases.ts'
import { planLeases } from './plan-leases.ts'

const viewOf = (projection: string, shards: number): CarriedView => ({ projection, generation: 1, shards })
const memberOf = (owner: string, views: readonly CarriedView[], maxShards?: number): Member => ({
  owner,
  views,
  ...(maxShards !== undefined && { maxShards }),
})

/** Some processes, which carry their plans out as a store would let them. */
function fleet() {
  const members = new Map<string, Member>()
  const leases = new Map<string, Lease>()
  let moves = 0
  const holdings = (): Holdings => ({ members: [...members.values()], leases: [...leases.values()] })
  /** Carries out what `owner` makes of what it saw. */
  function step(owner: string, seen = holdings()): void {
    if (!members.has(owner)) return
    const plan = planLeases(owner, seen)
    for (const shard of plan.release) if (leases.get(shardId(shard))?.owner === owner) leases.delete(shardId(shard))
    for (const shard of plan.take) {
      if (leases.has(shardId(shard))) continue
      leases.set(shardId(shard), { ...shard, owner })
      moves++
    }
  }
  return {
    holdings,
    step,
    join: (member: Member) => members.set(member.owner, member),
    leave: (owner: string) => {
      members.delete(owner)
      for (const [id, lease] of leases) if (lease.owner === owner) leases.delete(id)
    },
    /** Everybody beats, in turn, so often. */
    settle: (rounds: number) => {
      for (let n = 0; n < rounds; n++) for (const owner of members.keys()) step(owner)
    },
    isSettled: () =>
      [...members.keys()].every(owner => {
        const { take, release } = planLeases(owner, holdings())
        return take.length === 0 && release.length === 0
      }),
    countOf: (owner: string, projection?: string) =>
      [...leases.values()].filter(
        lease => lease.owner === owner && (projection === undefined || lease.projection === projection),
      ).length,
    moves: () => moves,
  }
}

const shardsOf = (refs: readonly ShardRef[]): readonly number[] => refs.map(({ shard }) => shard)

describe('who should have which shards', () => {
  const eight = viewOf('eight', 8)

  test('one process has them all, and knows at once', () => {
    const { take, release } = planLeases('a', { members: [memberOf('a', [eight])], leases: [] })
    expect(shardsOf(take)).toEqual([0, 1, 2, 3, 4, 5, 6, 7])
    expect(release).toEqual([])
  })

  test('processes that join get their share of those that have too many, and nothing else moves', () => {
    const all = fleet()
    all.join(memberOf('a', [eight]))
    all.settle(1)
    all.join(memberOf('b', [eight]))
    all.settle(2)
    expect([all.countOf('a'), all.countOf('b'), all.moves()]).toEqual([4, 4, 12])
    all.join(memberOf('c', [eight]))
    all.settle(2)
    expect(['a', 'b', 'c'].map(owner => all.countOf(owner)).toSorted((a, b) => a - b)).toEqual([2, 3, 3])
    expect(all.moves()).toBe(14)
    expect(all.isSettled()).toBe(true)
  })

  test('those of a process that is gone are dealt out to the others, who keep what they have', () => {
    const all = fleet()
    for (const owner of ['a', 'b', 'c']) all.join(memberOf(owner, [eight]))
    all.settle(2)
    const before = all.holdings().leases.filter(({ owner }) => owner !== 'b')
    all.leave('b')
    const moved = all.moves()
    all.settle(1)
    expect(all.moves() - moved).toBe(8 - before.length)
    expect(all.holdings().leases).toEqual(expect.arrayContaining(before))
  })

  test('what is held by one that nobody hears of any more is left alone until its lease has run out', () => {
    const silent: readonly Lease[] = [4, 5, 6, 7].map(shard => ({
      projection: 'eight',
      generation: 1,
      shard,
      owner: 'x',
    }))
    const { take } = planLeases('a', { members: [memberOf('a', [eight])], leases: silent })
    expect(shardsOf(take)).toEqual([0, 1, 2, 3])
  })

  test('a view is left to those that know it, who get less of the others', () => {
    const own = viewOf('own', 4)
    const all = fleet()
    all.join(memberOf('a', [eight, own]))
    all.join(memberOf('b', [eight]))
    all.settle(3)
    expect([all.countOf('a', 'own'), all.countOf('a', 'eight'), all.countOf('b', 'eight')]).toEqual([4, 2, 6])
  })

  test('nobody gets more than it wants, and what nobody has room for stays free', () => {
    const all = fleet()
    all.join(memberOf('a', [eight], 2))
    all.join(memberOf('b', [eight], 3))
    all.settle(3)
    expect([all.countOf('a'), all.countOf('b')]).toEqual([2, 3])
    expect(all.isSettled()).toBe(true)
    all.join(memberOf('c', [eight]))
    all.settle(2)
    expect([all.countOf('a'), all.countOf('b'), all.countOf('c')]).toEqual([2, 3, 3])
  })

  test('what one leaves behind goes to who has least, and nobody else gives anything up', () => {
    const all = fleet()
    const views = ['v0', 'v1'].map(name => viewOf(name, 1))
    for (const owner of ['m0', 'm1', 'm2']) all.join(memberOf(owner, views))
    all.settle(3)
    const [first, second] = all.holdings().leases
    all.leave(first?.owner ?? '')
    all.settle(3)
    expect(all.holdings().leases).toContainEqual(second)
    expect(['m0', 'm1', 'm2'].map(owner => all.countOf(owner)).toSorted((a, b) => a - b)).toEqual([0, 1, 1])
  })

  test('who alone knows a view makes room for it, and others take over what it had', () => {
    const own = viewOf('own', 2)
    const [one, other] = [memberOf('a', [eight, own], 3), memberOf('b', [eight])]
    const leases = [0, 1, 2].map(shard => ({ projection: 'eight', generation: 1, shard, owner: 'a' }))
    expect(planLeases('a', { members: [one], leases })).toEqual({ take: [], release: [] })
    expect(shardsOf(planLeases('a', { members: [one, other], leases }).release)).toEqual([1, 2])
    const all = fleet()
    all.join(one)
    all.settle(2)
    all.join(other)
    all.settle(6)
    expect([all.countOf('a', 'own'), all.countOf('a'), all.countOf('b')]).toEqual([2, 3, 7])
    expect(all.isSettled()).toBe(true)
  })

  test('a view is spread over those that join as evenly as all together', () => {
    const all = fleet()
    const views = [viewOf('p', 4), viewOf('q', 4), viewOf('r', 8)]
    for (const owner of ['a', 'b', 'c', 'd']) {
      all.join(memberOf(owner, views))
      all.settle(3)
      for (const { projection } of views) {
        const counts = [...all.holdings().members].map(member => all.countOf(member.owner, projection))
        expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1)
      }
    }
  })

  test('many projections of one shard are divided too', () => {
    const all = fleet()
    const views = Array.from({ length: 7 }, (_, n) => viewOf(`p${n}`, 1))
    for (const owner of ['a', 'b', 'c']) {
      all.join(memberOf(owner, views))
      all.settle(2)
    }
    expect(['a', 'b', 'c'].map(owner => all.countOf(owner)).toSorted((a, b) => a - b)).toEqual([2, 2, 3])
  })
})

describe('whatever joins and leaves, and however old what each has seen is', () => {
  const names = ['a', 'b', 'c', 'd', 'e']
  const views = [viewOf('one', 1), viewOf('few', 3), viewOf('many', 16)]
  const action = fc.oneof(
    fc.record({
      kind: fc.constant('join' as const),
      owner: fc.constantFrom(...names),
      knows: fc.subarray(views, { minLength: 1 }),
      maxShards: fc.option(fc.integer({ min: 0, max: 12 }), { nil: undefined }),
    }),
    fc.record({ kind: fc.constant('leave' as const), owner: fc.constantFrom(...names) }),
    fc.record({
      kind: fc.constant('step' as const),
      owner: fc.constantFrom(...names),
      age: fc.integer({ min: 0, max: 4 }),
    }),
  )

  test('every shard that somebody has room for is owned a few beats later, in fair shares, and then nothing moves', () => {
    fc.assert(
      fc.property(fc.array(action, { maxLength: 60 }), actions => {
        const all = fleet()
        const past: Holdings[] = []
        // A process that starts again is another process.
        const lives = new Map<string, number>()
        const ownerOf = (name: string): string => `${name}${lives.get(name) ?? 0}`
        for (const one of actions) {
          if (one.kind !== 'step') {
            all.leave(ownerOf(one.owner))
            lives.set(one.owner, (lives.get(one.owner) ?? 0) + 1)
          }
          if (one.kind === 'join') all.join(memberOf(ownerOf(one.owner), one.knows, one.maxShards))
          if (one.kind === 'step') all.step(ownerOf(one.owner), past.at(-1 - one.age))
          past.push(all.holdings())
        }
        all.settle(12)
        expect(all.isSettled()).toBe(true)
        const settled = all.moves()
        all.settle(3)
        expect(all.moves()).toBe(settled)

        const { members, leases } = all.holdings()
        const owned = new Set(leases.map(shardId))
        const roomOf = ({ owner, maxShards }: Member): number =>
          (maxShards ?? Number.POSITIVE_INFINITY) - all.countOf(owner)
        for (const member of members) {
          expect(roomOf(member)).toBeGreaterThanOrEqual(0)
          if (roomOf(member) === 0) continue
          for (const { projection, generation, shards } of member.views) {
            for (let shard = 0; shard < shards; shard++) {
              expect(owned.has(shardId({ projection, generation, shard }))).toBe(true)
            }
          }
        }
        const whole = members.filter(({ views: known, maxShards }) => known.length === 3 && maxShards === undefined)
        if (whole.length === members.length && members.length > 0) {
          const counts = members.map(({ owner }) => all.countOf(owner))
          expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1)
        }
      }),
      { numRuns: 500 },
    )
  })
})

describe('whoever joins or leaves a fleet that has come to rest', () => {
  const shape = fc.record({
    shards: fc.array(fc.constantFrom(1, 1, 2, 4, 8), { minLength: 1, maxLength: 4 }),
    bounds: fc.array(fc.option(fc.integer({ min: 0, max: 9 }), { nil: undefined, freq: 3 }), {
      minLength: 6,
      maxLength: 6,
    }),
    changes: fc.array(fc.record({ joins: fc.boolean(), which: fc.nat(9) }), { minLength: 1, maxLength: 8 }),
  })

  test('no shard moves between the others, and nobody has two more than one that wants more', () => {
    fc.assert(
      fc.property(shape, ({ shards, bounds, changes }) => {
        const views = shards.map((count, n) => viewOf(`v${n}`, count))
        const all = fleet()
        let joined = 0
        const join = (): string => {
          const owner = `m${joined}`
          all.join(memberOf(owner, views, bounds[joined % bounds.length]))
          joined++
          return owner
        }
        join()
        all.settle(4)
        for (const { joins, which } of changes) {
          const before = all.holdings()
          const leaving = before.members[which % before.members.length]?.owner
          const changed = joins || leaving === undefined || before.members.length === 1 ? join() : leaving
          if (before.members.some(({ owner }) => owner === changed)) all.leave(changed)
          all.settle(6)
          expect(all.isSettled()).toBe(true)
          const after = all.holdings()
          const owners = new Map(after.leases.map(lease => [shardId(lease), lease.owner]))
          for (const lease of before.leases) {
            const owner = owners.get(shardId(lease))
            if (lease.owner !== changed && owner !== changed) expect(owner).toBe(lease.owner)
          }
          const counts = after.members.map(({ owner, maxShards }) => {
            const count = all.countOf(owner)
            expect(count).toBeLessThanOrEqual(maxShards ?? Number.POSITIVE_INFINITY)
            return { count, wantsMore: count < (maxShards ?? Number.POSITIVE_INFINITY) }
          })
          const most = Math.max(...counts.map(({ count }) => count))
          for (const { count, wantsMore } of counts) if (wantsMore) expect(most - count).toBeLessThanOrEqual(1)
          if (counts.some(({ wantsMore }) => wantsMore)) {
            expect(after.leases.length).toBe(shards.reduce((sum, count) => sum + count, 0))
          }
        }
      }),
      { numRuns: 500 },
    )
  })

  test('all that plan on the same holdings plan the same, in whatever order they are told of them', () => {
    fc.assert(
      fc.property(fc.shuffledSubarray(['a', 'b', 'c', 'd'], { minLength: 1 }), fc.nat(), (owners, seed) => {
        const views = [viewOf('one', 1), viewOf('many', 9)]
        const leases = [0, 1, 2, 3, 4].map(shard => {
          return { projection: 'many', generation: 1, shard, owner: owners[(seed >> shard) % owners.length] as string }
        })
        const members = owners.map(owner => memberOf(owner, views))
        const turned = { members: members.toReversed(), leases: leases.toReversed() }
        const taken = owners.flatMap(owner => planLeases(owner, { members, leases }).take.map(shardId))
        expect(new Set(taken).size).toBe(taken.length)
        expect(taken.length).toBe(5)
        for (const owner of owners) expect(planLeases(owner, turned)).toEqual(planLeases(owner, { members, leases }))
      }),
    )
  })
})
