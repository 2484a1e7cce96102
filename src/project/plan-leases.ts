import { type CarriedView, generationId, type Holdings, type ShardRef, shardId } from './leases.ts'

/** What one process is to do so that all have their share. */
export interface LeasePlan {
  /** Shards that nobody holds, for this process to take. */
  readonly take: readonly ShardRef[]
  /** Shards that it is to hand over, since another process has too few, or it has more than it wants. */
  readonly release: readonly ShardRef[]
}

/** A process, and what it is to have: at first what it holds. */
interface Desk {
  readonly owner: string
  readonly room: number
  /** By `generationId`, as are its shards. */
  readonly views: ReadonlyMap<string, CarriedView>
  readonly shards: Map<string, ShardRef[]>
  count: number
}

/**
 * Who should have which shards, as one process sees it. All processes make the same plan from the same holdings, each
 * carries out its own part, and nobody tells anybody what to do. Where they see different moments, two may reach for one
 * shard, of whom one gets it; the next beat puts that right.
 *
 * What is held stays where it is, but for what a process gives to one that has at least two less. So one that joins is given
 * to, what one leaves behind is dealt out, and between the others nothing moves. The price is that a view may be spread less
 * evenly than all shards together.
 */
export function planLeases(owner: string, { members, leases }: Holdings): LeasePlan {
  const desks = members.map((member): Desk => {
    const views = new Map(member.views.map(view => [generationId(view), view]))
    return {
      owner: member.owner,
      room: member.maxShards ?? Number.POSITIVE_INFINITY,
      views,
      shards: new Map(),
      count: 0,
    }
  })
  desks.sort((a, b) => compare(a.owner, b.owner))
  const own = desks.find(desk => desk.owner === owner)
  if (own === undefined) return { take: [], release: [] }
  const held = new Set(leases.map(shardId))
  for (const { owner: holder, projection, generation, shard } of leases.toSorted((a, b) => a.shard - b.shard)) {
    const desk = desks.find(one => one.owner === holder)
    const ref = { projection, generation, shard }
    // What one holds of a view that it carries on no more, it is about to give up.
    if (desk?.views.has(generationId(ref)) === true) put(desk, ref)
  }
  const before = shardsOf(own)
  const views = viewsOf(desks)
  const free = views.flatMap(([, { projection, generation, shards }]) =>
    Array.from({ length: shards }, (_, shard) => ({ projection, generation, shard })).filter(
      ref => !held.has(shardId(ref)),
    ),
  )
  for (const desk of desks) while (desk.count > desk.room) free.push(takeFrom(desk, fullestOf(desk, views)))
  deal(free, desks, views)
  while (evenOut(desks, views));
  const after = shardsOf(own)
  return {
    take: [...after].filter(([id]) => !held.has(id)).map(([, ref]) => ref),
    release: [...before].filter(([id]) => !after.has(id)).map(([, ref]) => ref),
  }
}

/** All views, by `generationId`. Those that few processes know go first, since the others can make up for them. */
function viewsOf(desks: readonly Desk[]): readonly (readonly [id: string, view: CarriedView])[] {
  const known = new Map(desks.flatMap(({ views }) => [...views]))
  const knowers = new Map(Array.from(known.keys(), id => [id, desks.filter(({ views }) => views.has(id)).length]))
  return [...known].sort(([a], [b]) => (knowers.get(a) ?? 0) - (knowers.get(b) ?? 0) || compare(a, b))
}
type Views = ReturnType<typeof viewsOf>

/** Gives what is free to whoever has the fewest, each a shard of the view of which it has the fewest. */
function deal(free: readonly ShardRef[], desks: readonly Desk[], views: Views): void {
  const left = Map.groupBy(free, generationId)
  const wants = (desk: Desk, id: string): boolean => desk.views.has(id) && (left.get(id)?.length ?? 0) > 0
  for (;;) {
    const able = desks.filter(desk => desk.count < desk.room && views.some(([id]) => wants(desk, id)))
    const fewest = Math.min(...able.map(({ count }) => count))
    const offers = able
      .filter(({ count }) => count === fewest)
      .flatMap(desk => views.filter(([id]) => wants(desk, id)).map(([id]) => ({ desk, id, has: countOf(desk, id) })))
    const [first, ...others] = offers
    if (first === undefined) break
    const { desk, id } = others.reduce((best, next) => (next.has < best.has ? next : best), first)
    put(desk, (left.get(id) as ShardRef[]).shift() as ShardRef)
  }
  // Who alone could carry them on has no room: others take over something else of what it has.
  for (const [id] of views) {
    for (const ref of left.get(id) ?? []) {
      const desk = makeRoom(id, desks, views)
      if (desk !== undefined) put(desk, ref)
    }
  }
}

/** Lets one of those that know a view have room for a shard of it, by the shortest way of handing on. */
function makeRoom(id: string, desks: readonly Desk[], views: Views): Desk | undefined {
  const ways = desks.filter(desk => desk.views.has(id)).map(desk => [{ desk, id }])
  const reached = new Set(ways.map(([first]) => first?.desk))
  for (const way of ways) {
    const { desk: last } = way.at(-1) as (typeof way)[number]
    if (last.count < last.room) {
      for (let n = way.length - 1; n > 0; n--) {
        const [from, to] = [way[n - 1], way[n]] as [(typeof way)[number], (typeof way)[number]]
        put(to.desk, takeFrom(from.desk, to.id))
      }
      return way[0]?.desk
    }
    for (const next of desks) {
      const [through] = views.find(([of]) => countOf(last, of) > 0 && next.views.has(of)) ?? []
      if (through === undefined || reached.has(next)) continue
      reached.add(next)
      ways.push([...way, { desk: next, id: through }])
    }
  }
  return undefined
}

/** Moves one shard from who has the most to who has the fewest, if that has at least two less. Answers whether it did. */
function evenOut(desks: readonly Desk[], views: Views): boolean {
  const sorted = desks.toSorted((a, b) => a.count - b.count)
  for (const to of sorted.filter(({ count, room }) => count < room)) {
    let best: { readonly from: Desk; readonly id: string; readonly excess: number } | undefined
    for (const from of sorted.toReversed()) {
      if (from.count - to.count < 2 || (best !== undefined && from.count < best.from.count)) break
      for (const [id] of views) {
        if (countOf(from, id) === 0 || !to.views.has(id)) continue
        const excess = countOf(from, id) - countOf(to, id)
        if (best === undefined || excess > best.excess) best = { from, id, excess }
      }
    }
    if (best === undefined) continue
    put(to, takeFrom(best.from, best.id))
    return true
  }
  return false
}

function fullestOf(desk: Desk, views: Views): string {
  const ids = views.map(([id]) => id)
  return ids.reduce((most, id) => (countOf(desk, id) > countOf(desk, most) ? id : most))
}

function countOf({ shards }: Desk, id: string): number {
  return shards.get(id)?.length ?? 0
}

function put(desk: Desk, ref: ShardRef): void {
  const id = generationId(ref)
  desk.shards.set(id, [...(desk.shards.get(id) ?? []), ref])
  desk.count++
}

/** The last of them, which is the one that was put there last, or has the highest number. */
function takeFrom(desk: Desk, id: string): ShardRef {
  const shards = desk.shards.get(id) ?? []
  desk.shards.set(id, shards.slice(0, -1))
  desk.count--
  return shards.at(-1) as ShardRef
}

function shardsOf({ shards }: Desk): ReadonlyMap<string, ShardRef> {
  return new Map([...shards.values()].flat().map(ref => [shardId(ref), ref]))
}

function compare(a: string, b: string): number {
  if (a === b) return 0
  return a < b ? -1 : 1
}
