import type { Runtime } from '../../log/index.ts'
import {
  type Beat,
  type Failure,
  type GenerationRef,
  generationId,
  type Holdings,
  type Lease,
  type Member,
  type ShardRef,
  shardId,
} from '../../project/index.ts'

/** Who is alive, and who holds what: what the specification of a store's leases is. */
export interface MemoryLeases {
  beat(beat: Beat): Holdings
  leave(owner: string): void
  /** Answers whether `owner` has the lease now. */
  take(shard: ShardRef, owner: string, leaseMs: number): boolean
  /** Answers whether `owner` had the lease. */
  release(shard: ShardRef, owner: string): boolean
  /** Does somebody who is alive carry it on? */
  follows(generation: GenerationRef): boolean
  /** What stops the shard, as whoever holds it says. */
  failureOf(shard: ShardRef): Failure | undefined
  /** A generation is gone. */
  drop(generation: GenerationRef): void
}

/** @param tell hears of a projection when somebody that knows it joined or left, or let go of a shard. */
export function memoryLeases(runtime: Pick<Runtime, 'elapsed'>, tell: (projection: string) => void): MemoryLeases {
  const members = new Map<string, { readonly member: Member; readonly until: number }>()
  const leases = new Map<
    string,
    { readonly lease: Lease; readonly until: number; readonly failure?: Failure | undefined }
  >()
  const changed = (projections: Iterable<string>): void => {
    for (const projection of new Set(projections)) tell(projection)
  }
  const isOver = ({ until }: { readonly until: number }): boolean => until <= runtime.elapsed()
  return {
    beat: ({ leaseMs, failures = [], ...member }) => {
      const told = new Map(failures.map(one => [shardId(one), one.failure]))
      const until = runtime.elapsed() + leaseMs
      const isNew = JSON.stringify(members.get(member.owner)?.member.views) !== JSON.stringify(member.views)
      for (const [owner, one] of members) if (isOver(one)) members.delete(owner)
      members.set(member.owner, { member, until })
      const carried = new Set(member.views.map(generationId))
      for (const [id, { lease }] of leases) {
        // What it could not give up of a view that it carries on no more runs out.
        const isRenewed = lease.owner === member.owner && carried.has(generationId(lease))
        if (isRenewed) leases.set(id, { lease, until, failure: told.get(id) })
      }
      if (isNew) changed(member.views.map(({ projection }) => projection))
      return {
        members: Array.from(members.values(), one => one.member),
        leases: [...leases.values()].filter(one => !isOver(one)).map(one => one.lease),
      }
    },
    leave: owner => {
      const left = members.get(owner)
      members.delete(owner)
      for (const [id, { lease }] of leases) if (lease.owner === owner) leases.delete(id)
      changed((left?.member.views ?? []).map(({ projection }) => projection))
    },
    take: (shard, owner, leaseMs) => {
      const held = leases.get(shardId(shard))
      if (held !== undefined && held.lease.owner !== owner && !isOver(held)) return false
      // Who takes it again tries again what has failed.
      const failure = held?.lease.owner === owner ? held.failure : undefined
      leases.set(shardId(shard), { lease: { ...shard, owner }, until: runtime.elapsed() + leaseMs, failure })
      return true
    },
    release: (shard, owner) => {
      if (leases.get(shardId(shard))?.lease.owner !== owner) return false
      leases.delete(shardId(shard))
      changed([shard.projection])
      return true
    },
    follows: generation =>
      Array.from(members.values()).some(
        one => !isOver(one) && one.member.views.some(view => generationId(view) === generationId(generation)),
      ),
    failureOf: shard => {
      const held = leases.get(shardId(shard))
      return held === undefined || isOver(held) ? undefined : held.failure
    },
    drop: generation => {
      for (const [id, { lease }] of leases) if (generationId(lease) === generationId(generation)) leases.delete(id)
    },
  }
}
