-- A generation that was swapped away from by hand does not come back by itself while the one that serves is followed. What
-- served and does not any more was told apart from it by nothing: it stays where it is.

alter table bifold_views._generations add column set_aside boolean not null default false;
comment on column bifold_views._generations.set_aside is 'Was it swapped away from by hand?';
update bifold_views._generations g set set_aside = true
 where g.served and not exists (select from bifold_views._active a where a.projection = g.projection and a.generation = g.generation);

-- As before, but for what is kept of the generation that serves no more. A process of the release before calls it without
-- the last argument.
drop function bifold_views._activate(text, integer, integer, bigint, boolean);
create function bifold_views._activate(_projection text, _generation integer, _wait_ms integer, _near bigint, _with_parked boolean, _by_hand boolean default true)
returns table (outcome text, goal bigint, reached bigint)
language plpgsql as $$
declare
  _serving integer;
  _until timestamptz;
  _before bigint;
  _moved_at timestamptz;
begin
  select a.generation into _serving from bifold_views._active a where a.projection = _projection for update;
  if not exists (
    select from bifold_views._generations g
     where g.projection = _projection and g.generation = _generation and not g.dropped
  ) then
    return query select 'unknown', 0::bigint, 0::bigint;
    return;
  end if;
  if _serving = _generation then
    return query select 'activated', 0::bigint, 0::bigint;
    return;
  end if;
  select max(c.position) into goal
    from bifold_views._checkpoints c where c.projection = _projection and c.generation = _serving;
  select min(c.position) into reached
    from bifold_views._checkpoints c where c.projection = _projection and c.generation = _generation;
  if reached < goal - _near then
    return query select 'behind', goal, reached;
    return;
  end if;
  -- The generation before its checkpoints, as a shard locks them that parks a key. The other generation goes on parking
  -- until it has reached this one: it is locked no sooner than it is written.
  perform from bifold_views._generations g
    where g.projection = _projection and g.generation = _serving for no key update;
  perform from bifold_views._checkpoints c
    where c.projection = _projection and c.generation = _serving order by c.shard for share;
  select max(c.position) into goal
    from bifold_views._checkpoints c where c.projection = _projection and c.generation = _serving;
  _until := clock_timestamp() + _wait_ms * interval '1 millisecond';
  loop
    select min(c.position) into reached
      from bifold_views._checkpoints c where c.projection = _projection and c.generation = _generation;
    exit when reached >= goal;
    if reached is distinct from _before then
      _before := reached;
      _moved_at := clock_timestamp();
    end if;
    -- Where the other one stands still, nobody is held up for long.
    if clock_timestamp() >= least(_until, _moved_at + interval '100 milliseconds') then
      return query select 'behind', goal, reached;
      return;
    end if;
    perform pg_sleep(0.002);
  end loop;
  -- Looked at after it has reached the other one: what it parks on the way there counts.
  if not _with_parked and (
    select count(*) filter (where p.generation = _generation) > count(*) filter (where p.generation = _serving)
      from bifold_views._parked p where p.projection = _projection and p.generation in (_generation, _serving)
  ) then
    return query select 'parked', goal, reached;
    return;
  end if;
  update bifold_views._active a set generation = _generation, swapped_at = clock_timestamp()
   where a.projection = _projection;
  update bifold_views._generations g set served = true, set_aside = g.generation = _serving and _by_hand
   where g.projection = _projection and g.generation in (_serving, _generation)
     and (not g.served or g.set_aside <> (g.generation = _serving and _by_hand));
  perform bifold_views._point(_projection);
  return query select 'activated', goal, reached;
end
$$;
comment on function bifold_views._activate(text, integer, integer, bigint, boolean, boolean) is 'The swap: lets another generation of a view serve, once it has reached the one that serves.';
