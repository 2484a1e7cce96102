-- Appending from any client's own transaction, with whatever can insert a row:
--
--   begin;
--   update stock set …;
--   insert into bifold.pending_appends (category, stream_id, expected_version, events)
--     values ('order', 'o-1', 3, '[{"type": "OrderPaid", "data": {"total": 100}}]');
--   commit;
--
-- The events enter the log inside the commit, and only then is the log's lock taken: a transaction may stay open as long
-- as it likes and keeps nobody waiting. It must be READ COMMITTED. The commit fails, and everything in it with it, with
--   BF002  the stream is not at expected_version
--   BF003  the transaction is not READ COMMITTED
--   BF005  the command id was carried out before
-- and the insert with 23514 where a value will not do, and with BF004 where the events will not.
-- Do not say `set constraints all immediate`: the lock would be taken then, and held until the commit.

create domain bifold.key_text as text collate "C"
  check (octet_length(value) between 1 and 256 and value !~ '[\u0001-\u001F\u007F-\u009F]');

create table bifold.pending_appends (
  id bigint generated always as identity primary key,
  tenant bifold.key_text not null default 'default',
  category bifold.key_text not null,
  stream_id bifold.key_text not null,
  expected_version bigint check (expected_version >= 0),
  events json not null check (octet_length(events::text) <= 16777216),
  command_name bifold.key_text,
  command_id bifold.key_text,
  command_hash bifold.key_text,
  check ((command_id is null) = (command_name is null) and (command_id is null) = (command_hash is null))
);
comment on table bifold.pending_appends is 'Insert a row, and its events are in the log when the transaction commits. The row is gone then.';
comment on column bifold.pending_appends.expected_version is 'The version the stream must have then: 0 for a new one, null for any.';
comment on column bifold.pending_appends.events is 'An array of {"type", "data", "schemaVersion" (1), "tags" ([]), "metadata" ({})}, at least one and at most 1000.';
comment on column bifold.pending_appends.command_id is 'With command_name and the tenant it is carried out once. command_hash tells whether a repetition is the same command.';

-- Events that cannot enter the log are refused when they are inserted, where the client still knows what it did.
create function bifold.check_pending() returns trigger
  language plpgsql
  set search_path = ''
as $$
declare
  problem text;
begin
  if json_typeof(new.events) <> 'array' then
    problem := 'it is no array';
  elsif json_array_length(new.events) not between 1 and 1000 then
    problem := 'it must hold 1 to 1000 events';
  else
    begin
      -- jsonb refuses what the log does: NUL characters and halves of surrogate pairs.
      perform new.events::jsonb;
      select 'an event has no type in PascalCase, no data, or something that does not belong there' into problem
        from json_array_elements(new.events) as e(event)
       where json_typeof(event) <> 'object'
          or event ->> 'type' is null or event ->> 'type' !~ '^[A-Z][A-Za-z0-9]{0,63}$'
          or event -> 'data' is null
          or coalesce(json_typeof(event -> 'metadata'), 'object') <> 'object'
          or coalesce(json_typeof(event -> 'tags'), 'array') <> 'array'
          or coalesce(event ->> 'schemaVersion', '1') !~ '^[1-9][0-9]{0,5}$'
          or exists (select from json_object_keys(event) as k(key)
                      where key not in ('type', 'data', 'schemaVersion', 'tags', 'metadata'))
       limit 1;
      perform tag::bifold.key_text
         from json_array_elements(new.events) as e(event), json_array_elements_text(event -> 'tags') as t(tag);
    exception when data_exception or check_violation or program_limit_exceeded then
      problem := 'it holds a text that the log does not take';
    end;
  end if;
  if problem is not null then
    raise exception 'bifold: pending_appends.events will not do: %', problem using errcode = 'BF004';
  end if;
  return new;
end
$$;

create trigger check_pending before insert on bifold.pending_appends
  for each row execute function bifold.check_pending();

-- UUID version 7: 48 bits of time, then chance. The last 12 hex digits are an event's fingerprint.
create function bifold.new_event_id(at timestamptz) returns uuid
  language sql volatile
  set search_path = ''
  return encode(
    set_bit(set_bit(
      overlay(uuid_send(gen_random_uuid())
        placing substring(int8send(floor(extract(epoch from at) * 1000)::bigint) from 3) from 1 for 6),
      52, 1), 53, 1),
    'hex')::uuid;

-- Runs inside the commit. Its owner's rights will do: a client needs no more than to insert into pending_appends.
create function bifold.append_pending() returns trigger
  language plpgsql
  security definer
  set search_path = ''
  set enable_seqscan = off
as $$
declare
  log record;
  actual bigint;
  added integer := json_array_length(new.events);
begin
  log := bifold.lock_log();

  if new.command_id is not null and coalesce((
    select true from bifold.commands c
     where c.tenant = new.tenant and c.name = new.command_name and c.id = new.command_id), false)
  then
    raise exception 'bifold: the command id was carried out before'
      using errcode = 'BF005', hint = 'Look into bifold.commands for its outcome.';
  end if;

  actual := coalesce((
    select e.version from bifold.events e
     where e.tenant = new.tenant and e.category = new.category and e.stream_id = new.stream_id
     order by e.version desc limit 1), 0);
  if new.expected_version is not null and new.expected_version <> actual then
    raise exception 'bifold: the stream is at version %, not %', actual, new.expected_version
      using errcode = 'BF002', hint = 'Read the stream again, decide again, and try again.';
  end if;

  insert into bifold.events
    (position, tenant, category, stream_id, version, type, schema_version, id, tags, data, metadata, recorded_at)
  select log.head + number, new.tenant, new.category, new.stream_id, actual + number, event ->> 'type',
         coalesce((event ->> 'schemaVersion')::integer, 1), bifold.new_event_id(log.clock),
         array(select json_array_elements_text(event -> 'tags')), event -> 'data',
         case when new.command_id is null then coalesce(event -> 'metadata', '{}')
           else (coalesce((event -> 'metadata')::jsonb, '{}') || jsonb_build_object('commandId', new.command_id))::json
         end,
         log.clock
    from json_array_elements(new.events) with ordinality as e(event, number);

  if new.command_id is not null then
    insert into bifold.commands (tenant, name, id, hash, version, first_position, last_position, recorded_at)
    values (new.tenant, new.command_name, new.command_id, new.command_hash, actual + added,
            log.head + 1, log.head + added, log.clock);
  end if;

  delete from bifold.pending_appends where id = new.id;
  perform pg_notify('bifold_log', (log.head + added)::text);
  return null;
end
$$;

create constraint trigger append_pending after insert on bifold.pending_appends
  deferrable initially deferred
  for each row execute function bifold.append_pending();
