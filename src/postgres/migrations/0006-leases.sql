-- Who carries which shard on. Leases and members say who should; the fence, an epoch in _checkpoints, says who may.
-- Both are judged by the database's clock alone.

create table bifold_views._members (
  owner text collate "C" primary key,
  alive_until timestamptz not null,
  max_shards integer,
  views json not null
) with (
  fillfactor = 50,
  autovacuum_vacuum_scale_factor = 0,
  autovacuum_vacuum_threshold = 1000
);
comment on table bifold_views._members is 'The processes that carry views on, each until its next beat is overdue.';
comment on column bifold_views._members.max_shards is 'It wants no more than this. Null: as many as there are.';
comment on column bifold_views._members.views is 'The generations that it knows: [[projection, generation, shards], …].';

create table bifold_views._leases (
  projection text collate "C" not null,
  generation integer not null,
  shard integer not null,
  owner text collate "C" not null,
  lease_until timestamptz not null,
  primary key (projection, generation, shard)
) with (
  fillfactor = 50,
  autovacuum_vacuum_scale_factor = 0,
  autovacuum_vacuum_threshold = 1000
);
comment on table bifold_views._leases is 'Who holds a shard, and until when unless it beats again. No row: nobody does.';

-- While somebody holds a snapshot open, no version of a checkpoint can be cleared away, and whoever looks the row up walks
-- through all of them: 9 µs became 270 after 30,000 updates. So the key has a part that changes every 64 positions. Who
-- commits knows the position, and finds the few versions of its own lap; who reads begins at the last lap. In between,
-- updates still change no indexed column (HOT).
alter table bifold_views._checkpoints
  drop constraint _checkpoints_pkey,
  add column lap bigint not null generated always as (position >> 6) stored,
  add primary key (projection, generation, shard, lap);
comment on column bifold_views._checkpoints.lap is 'Keeps look-ups fast under an old snapshot. A shard has one row, whatever its lap.';
