-- Projections that nobody carries on until they are resumed, whatever their generations. Whoever takes a shard looks here
-- afterwards; whoever pauses raises the epochs of all shards in the same transaction.

create table bifold_views._pauses (
  projection text collate "C" primary key,
  paused_at timestamptz not null default clock_timestamp()
);
comment on table bifold_views._pauses is 'Projections that are paused: a row is made by pausing, and deleted by resuming.';
