-- Projections that are committed with appends.

-- Holds the checkpoint of a generation of one shard until the transaction ends, for an append that writes its rows. It is
-- called under the log's lock, for which all other appends wait: so it waits for no more than a while, and so do the
-- statements after it. The checkpoint is locked first, and everything else is looked at afterwards, each in a snapshot of its
-- own: a pause, a load or a request that was committed before it is seen.
create function bifold_views._hold_for_append(
  _projection text, _generation integer, _wait_ms integer,
  out held boolean, out epoch bigint, out "position" bigint, out fingerprint text, out reserved boolean,
  out has_letters boolean)
language plpgsql
set enable_seqscan = off
set enable_bitmapscan = off
as $$
begin
  perform set_config('lock_timeout', _wait_ms || 'ms', true);
  begin
    select c.epoch, c.position, c.fingerprint into epoch, "position", fingerprint
      from bifold_views._checkpoints c
     where c.projection = _projection and c.generation = _generation and c.shard = 0
     order by c.lap desc limit 1
       for update;
    held := found;
  exception when lock_not_available then
    held := false;
  end;
  if not held then
    return;
  end if;
  reserved :=
    exists (select from bifold_views._pauses p where p.projection = _projection)
    or exists (select from bifold_views._loads l
                where l.projection = _projection and l.generation = _generation and not l.done)
    or exists (select from bifold_views._letter_requests r
                where r.projection = _projection and r.generation = _generation);
  has_letters :=
    exists (select from bifold_views._parked p where p.projection = _projection and p.generation = _generation)
    or exists (select from bifold_views._skips s where s.projection = _projection and s.generation = _generation);
end
$$;
comment on function bifold_views._hold_for_append(text, integer, integer) is 'Locks the checkpoint of a view that is written with an append, and says whether it may be.';
