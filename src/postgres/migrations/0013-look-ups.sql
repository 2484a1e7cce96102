-- Look-ups of checkpoints must go along the index from the last lap back, and take one entry. By the planner's reckoning a
-- table of a few rows is read sooner whole, or by all entries at once: under an old snapshot that is every version that
-- there was since, and the plan is kept.

-- So the table has never but a page or two: empty pages stay. Who commits then looks along the index.
alter table bifold_views._checkpoints set (vacuum_truncate = false);
insert into bifold_views._generations (projection, generation, version, columns) values ('', 0, 0, '[]');
insert into bifold_views._checkpoints (projection, generation, shard) select '', 0, generate_series(1, 200);
delete from bifold_views._checkpoints where projection = '';
delete from bifold_views._generations where projection = '';

-- And who reads has no other plan to choose. Stable: it sees the snapshot of the statement that calls it.
create function bifold_views._checkpoints_of(_projection text, _generation integer)
returns setof bifold_views._checkpoints
language plpgsql stable
set enable_seqscan = off
set enable_bitmapscan = off
as $$
begin
  return query
    select c.*
      from bifold_views._generations g,
           generate_series(0, g.shards - 1) as shards(number),
           lateral (select * from bifold_views._checkpoints
                     where projection = _projection and generation = _generation and shard = shards.number
                     order by lap desc limit 1) c
     where g.projection = _projection and g.generation = _generation;
end
$$;
comment on function bifold_views._checkpoints_of(text, integer) is 'The checkpoint of each shard, in no order, however many old versions a snapshot keeps.';
