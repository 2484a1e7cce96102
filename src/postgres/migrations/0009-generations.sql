-- Several generations of a view may be kept at once, and one of them serves. The swap is the update of one row.

alter table bifold_views._generations
  add column definition text collate "C" not null default '',
  add column row_shape text collate "C" not null default '',
  add column served boolean not null default false,
  add column dropped boolean not null default false;
comment on column bifold_views._generations.definition is 'A hash of what the projection makes of events. Empty: made by a release that had none, and filled by the next process that opens it.';
comment on column bifold_views._generations.row_shape is 'A hash of what its rows look like.';
comment on column bifold_views._generations.served is 'Has it ever been the one that serves? One that has not is being built.';
comment on column bifold_views._generations.dropped is 'Its table and its checkpoints are gone. The row stays, so that the number is not used again.';

create table bifold_views._active (
  projection text collate "C" primary key,
  generation integer not null,
  swapped_at timestamptz not null default clock_timestamp(),
  foreign key (projection, generation) references bifold_views._generations
);
comment on table bifold_views._active is 'The generation of each view that serves.';

insert into bifold_views._active (projection, generation)
select projection, max(generation) from bifold_views._generations group by projection;
update bifold_views._generations g set served = true
 where exists (select from bifold_views._active a where a.projection = g.projection and a.generation = g.generation);

-- The view with the plain name, over the generation that serves. A view of other columns has to be dropped first; where
-- somebody's own view stands on it, or a long report reads it, it stays as it is, since nobody's report may keep a new
-- release from starting.
create function bifold_views._point(_projection text) returns void
language plpgsql as $$
declare
  _name text := replace(_projection, '-', '_');
  _table text;
  _shown text;
  _patience text := current_setting('lock_timeout');
begin
  select _name || '__g' || a.generation into _table from bifold_views._active a where a.projection = _projection;
  select string_agg(quote_ident(attname), ', ' order by attnum) into _shown
    from pg_attribute
   where attrelid = format('bifold_views.%I', _table)::regclass and attnum > 0 and not attisdropped
     and (attname in ('_tenant', '_key', '_position') or attname not like '\_%');
  begin
    perform set_config('lock_timeout', '200ms', true);
    execute format('drop view if exists bifold_views.%I', _name);
    execute format('create view bifold_views.%I as select %s from bifold_views.%I', _name, _shown, _table);
  exception when dependent_objects_still_exist or lock_not_available then
    raise warning 'bifold: the view % stays on another generation, since it is in use', _name;
  end;
  perform set_config('lock_timeout', _patience, true);
end
$$;
comment on function bifold_views._point(text) is 'Puts the view with the plain name over the generation that serves.';

-- Lets another generation serve, where each of its shards has reached the highest of the one that serves now. That one is
-- held where it is for the moment that the other needs to reach it: its checkpoints are locked, here and nowhere else, and
-- no client is waited for. One that is far behind is not waited for.
create function bifold_views._activate(_projection text, _generation integer, _wait_ms integer, _near bigint, _with_parked boolean)
returns table (outcome text, goal bigint, reached bigint)
language plpgsql as $$
declare
  _serving integer;
  _until timestamptz;
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
  perform from bifold_views._checkpoints c
    where c.projection = _projection and c.generation = _serving order by c.shard for share;
  select max(c.position) into goal
    from bifold_views._checkpoints c where c.projection = _projection and c.generation = _serving;
  _until := clock_timestamp() + _wait_ms * interval '1 millisecond';
  loop
    select min(c.position) into reached
      from bifold_views._checkpoints c where c.projection = _projection and c.generation = _generation;
    exit when reached >= goal;
    if clock_timestamp() >= _until then
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
  update bifold_views._generations g set served = true
   where g.projection = _projection and g.generation = _generation and not g.served;
  perform bifold_views._point(_projection);
  return query select 'activated', goal, reached;
end
$$;
comment on function bifold_views._activate(text, integer, integer, bigint, boolean) is 'The swap: lets another generation of a view serve, once it has reached the one that serves.';
