import type { Beat, Holdings, Lease, Member } from '../project/index.ts'
import type { Statement } from './client.ts'
import { changedMark } from './view-notify.ts'
import type { CheckpointRow } from './view-read.ts'

/**
 * Each statement tells others by itself what it changed: it is rare, and its hint must not go with a process that ends.
 * Rows of the dead are passed over where somebody else is about to delete them, or two beats could wait for each other.
 */
export const beatStatement: Statement = {
  name: 'bifold_view_beat',
  text: `
with dead as (
  delete from bifold_views._members where owner in (
    select owner from bifold_views._members
     where alive_until <= clock_timestamp() and owner <> $1 for update skip locked)
), news as (
  -- As it was before this statement.
  select not exists (select from bifold_views._members where owner = $1 and views::text = $4) as is_new
), own as (
  insert into bifold_views._members (owner, alive_until, max_shards, views)
  values ($1, clock_timestamp() + $2 * interval '1 millisecond', $3::integer, $4::text::json)
  on conflict (owner) do update
    set alive_until = excluded.alive_until, max_shards = excluded.max_shards, views = excluded.views
), renewed as (
  update bifold_views._leases l
     set lease_until = clock_timestamp() + $2 * interval '1 millisecond',
         failure = (select told -> 3 from json_array_elements($5::text::json) told
                     where told ->> 0 = l.projection and (told ->> 1)::integer = l.generation
                       and (told ->> 2)::integer = l.shard)
   where owner = $1
     -- What it could not give up of a view that it carries on no more runs out.
     and exists (select from json_array_elements($4::text::json) carried
                  where carried ->> 0 = l.projection and (carried ->> 1)::integer = l.generation)
  returning projection, generation, shard, owner
), leases as (
  select * from renewed
  union all
  select projection, generation, shard, owner
    from bifold_views._leases where owner <> $1 and lease_until > clock_timestamp()
)
select is_new as "isNew",
       case when is_new then pg_notify('bifold_views', '${changedMark}') end,
       (select json_agg(json_build_object('owner', owner, 'maxShards', max_shards, 'views', views))
          from bifold_views._members where owner <> $1 and alive_until > clock_timestamp())::text as members,
       (select json_agg(l) from leases l)::text as leases
  from news`,
}

export function beatValues({ owner, leaseMs, maxShards, views, failures = [] }: Beat): readonly unknown[] {
  const known = views.map(({ projection, generation, shards }) => [projection, generation, shards])
  const told = failures.map(({ projection, generation, shard, failure }) => [projection, generation, shard, failure])
  return [owner, leaseMs, maxShards ?? null, JSON.stringify(known), JSON.stringify(told)]
}

export interface BeatRow {
  /** It has not beaten before, or knows other views than it did. */
  readonly isNew: boolean
  readonly members: string | null
  readonly leases: string | null
}

interface MemberRow {
  readonly owner: string
  readonly maxShards: number | null
  readonly views: readonly (readonly [string, number, number])[]
}

export function holdingsOf({ members, leases }: BeatRow, { leaseMs: _, failures: __, ...self }: Beat): Holdings {
  const others = (JSON.parse(members ?? '[]') as readonly MemberRow[]).map(
    ({ owner, maxShards, views }): Member => ({
      owner,
      ...(maxShards !== null && { maxShards }),
      views: views.map(([projection, generation, shards]) => ({ projection, generation, shards })),
    }),
  )
  return { members: [self, ...others], leases: JSON.parse(leases ?? '[]') as readonly Lease[] }
}

export const leaveStatement: Statement = {
  name: 'bifold_view_leave',
  text: `
with given as (
  delete from bifold_views._leases where owner = $1
), gone as (
  delete from bifold_views._members where owner = $1
)
select pg_notify('bifold_views', '${changedMark}')`,
}

/** Both rows are locked and looked at as they are now, not as they were when the statement began. */
export const takeStatement: Statement = {
  name: 'bifold_view_take',
  text: `
with there as (
  select from bifold_views._checkpoints where projection = $1 and generation = $2 and shard = $3
), lease as (
  insert into bifold_views._leases as held (projection, generation, shard, owner, lease_until)
  select $1, $2, $3, $4, clock_timestamp() + $5 * interval '1 millisecond' where exists (select from there)
  on conflict (projection, generation, shard) do update
    set owner = excluded.owner, lease_until = excluded.lease_until,
        -- Who takes it again tries again what has failed.
        failure = case when held.owner = excluded.owner then held.failure end
    where held.owner = excluded.owner or held.lease_until <= clock_timestamp()
  returning 1
), taken as (
  update bifold_views._checkpoints set epoch = epoch + 1
   where projection = $1 and generation = $2 and shard = $3 and exists (select from lease)
  returning epoch, position, fingerprint, case when cursor_at = position then cursor end as cursor
)
select exists (select from there) as there, taken.* from (values (1)) as one left join taken on true`,
}

/** There is one row; what it has of a checkpoint is null where another process has the lease. */
export interface TakeRow extends Omit<CheckpointRow, 'epoch'> {
  readonly there: boolean
  readonly epoch: number | null
}

export const releaseStatement: Statement = {
  name: 'bifold_view_release',
  text: `
with given as (
  delete from bifold_views._leases
   where projection = $1 and generation = $2 and shard = $3 and owner = $4
     and exists (select from bifold_views._checkpoints
                  where projection = $1 and generation = $2 and shard = $3 and epoch = $5)
  returning 1
)
select pg_notify('bifold_views', '${changedMark}' || $1) from given`,
}
