-- Whoever carries some shards of a view on, whose keys are the streams, reads the events of these alone.

alter table bifold.events add column stream_hash integer;
comment on column bifold.events.stream_hash is 'What divides streams into shards. Null where it was not known yet: then everybody reads the event.';

-- FNV-1a of 32 bits over the tenant, a zero byte and the stream's id, then the finalizer of MurmurHash3: the same as
-- `keyHash` of the engine, as a signed integer.
create function bifold.stream_hash(tenant text, stream_id text) returns integer
  language plpgsql immutable strict parallel safe
  set search_path = ''
as $$
declare
  bytes bytea := convert_to(tenant, 'UTF8') || '\x00'::bytea || convert_to(stream_id, 'UTF8');
  low_bits constant bigint := 4294967295;
  hash bigint := 2166136261;
begin
  for at in 0 .. octet_length(bytes) - 1 loop
    hash := ((hash # get_byte(bytes, at)) * 16777619) & low_bits;
  end loop;
  -- A factor is multiplied in two halves: a product of 64 bits would overflow.
  hash := hash # (hash >> 16);
  hash := ((((hash * 34283) & low_bits) << 16) + hash * 51819) & low_bits;
  hash := hash # (hash >> 13);
  hash := ((((hash * 49842) & low_bits) << 16) + hash * 44597) & low_bits;
  hash := hash # (hash >> 16);
  return (case when hash > 2147483647 then hash - 4294967296 else hash end)::integer;
end
$$;

-- As it was, with `stream_hashes`.
drop function bifold.append_batch;

-- Appends a batch. Columns of text come joined by newlines, which none of their values holds: that is faster than
-- arrays of text.
--
-- of_append, in_append: for each event the number of its append, and its number in it, from 1.
-- event_tenants, event_categories, event_stream_ids: the stream of each event; null where every append has one event,
-- and the lists would be the same.
-- event_counts, offsets: for each append how many events it has, and how many come before it in the batch.
-- expected_versions: -1 for any.
-- certain: 1 where the stream cannot be short of the expected version: it is 0, or the caller has seen its event in the
-- history that known_position names. Whether the stream is beyond it, the unique index will say.
-- same_streams, same_commands: for each append the number of the nearest one before it that has the same stream, or the
-- same command id; 0 for none. Both null where there are none at all.
--
-- stream_hashes: for each append that of its stream; null from a release that does not know them.
--
-- Answers where the log stood before, and for each append the version of its stream before it, and its verdict:
-- 0 appended, 1 repeated (the command id is known), 2 conflict. verdicts is null where everything was appended.
create function bifold.append_batch(
  known_position bigint,
  known_fingerprint text,
  tenants text,
  categories text,
  stream_ids text,
  expected_versions bigint[],
  certain integer[],
  command_names text,
  command_ids text,
  command_hashes text,
  event_counts integer[],
  offsets integer[],
  same_streams integer[],
  same_commands integer[],
  of_append integer[],
  in_append integer[],
  event_tenants text,
  event_categories text,
  event_stream_ids text,
  types text,
  schema_versions integer[],
  event_ids text,
  tag_lists text,
  datas text,
  metadatas text,
  stream_hashes integer[] default null,
  out base bigint,
  out base_fingerprint text,
  out recorded_at text,
  out verdicts integer[],
  out versions bigint[]
)
  language plpgsql volatile
  set search_path = ''
  -- Plans are kept for the connection's life, and the first ones are made for empty tables: never let those scan.
  set enable_seqscan = off
  set enable_bitmapscan = off
  set plan_cache_mode = force_generic_plan
as $$
declare
  log record;
  tenant_list text[] := string_to_array(tenants, e'\n');
  category_list text[] := string_to_array(categories, e'\n');
  stream_list text[] := string_to_array(stream_ids, e'\n');
  name_list text[] := string_to_array(command_names, e'\n');
  command_list text[] := string_to_array(command_ids, e'\n');
  -- Looking everything up beforehand costs a third of the time. Most batches hold as they are, so at first only what no
  -- unique index would notice is looked up; if they do not hold, or may not, everything is.
  careful boolean := same_streams is not null or same_commands is not null;
  repeated boolean[];
  all_hold boolean;
  appended integer := cardinality(of_append);
  previous integer;
begin
  log := bifold.lock_log();
  base := log.head;
  base_fingerprint := coalesce(right(log.head_id::text, 12), '');
  recorded_at := to_char(log.clock at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"');

  if known_position > 0 and (known_position, known_fingerprint) is distinct from (base, base_fingerprint)
    and not coalesce(
      (select right(e.id::text, 12) = known_fingerprint from bifold.events e where e.position = known_position), false)
  then
    raise exception 'bifold: the event at position % is missing or another', known_position using errcode = 'BF001';
  end if;

  loop
    -- Scalars, not joins: each is one look into an index, whatever the planner believes of the tables. The rows come in
    -- the order of the lists, and so do the arrays made of them.
    select array_agg(checked.version),
           array_agg(checked.repeated),
           bool_and(not checked.repeated and (checked.expected = -1 or checked.expected = checked.version))
      into versions, repeated, all_hold
      from (
        select a.expected,
               case when careful or a.certain = 0 then
                 coalesce((
                   select e.version from bifold.events e
                    where e.tenant = a.tenant and e.category = a.category and e.stream_id = a.stream_id
                    order by e.version desc limit 1), 0)
               else a.expected end as version,
               case when careful then
                 coalesce((
                   select true from bifold.commands c
                    where c.tenant = a.tenant and c.name = a.name and c.id = a.command), false)
               else false end as repeated
          from unnest(tenant_list, category_list, stream_list, expected_versions, certain, name_list, command_list)
            as a(tenant, category, stream_id, expected, certain, name, command)
      ) as checked;

    if careful then
      verdicts := array_fill(0, array[cardinality(tenant_list)]);
      appended := 0;
      for i in 1 .. cardinality(tenant_list) loop
        previous := coalesce(same_streams[i], 0);
        if previous > 0 then
          versions[i] := versions[previous]
            + case when verdicts[previous] = 0 then event_counts[previous] else 0 end;
        end if;
        previous := coalesce(same_commands[i], 0);
        if repeated[i] or (previous > 0 and verdicts[previous] < 2) then
          verdicts[i] := 1;
        elsif expected_versions[i] <> -1 and expected_versions[i] <> versions[i] then
          verdicts[i] := 2;
        else
          offsets[i] := appended;
          appended := appended + event_counts[i];
        end if;
      end loop;
    elsif not all_hold then
      careful := true;
      continue;
    end if;

    begin
      insert into bifold.commands (tenant, name, id, hash, version, first_position, last_position, recorded_at)
      select a.tenant, a.name, a.id, a.hash, versions[a.number] + a.event_count,
             base + a.shift + 1, base + a.shift + a.event_count, log.clock
        from unnest(tenant_list, name_list, command_list, string_to_array(command_hashes, e'\n'), event_counts, offsets)
          with ordinality as a(tenant, name, id, hash, event_count, shift, number)
       where verdicts is null or verdicts[a.number] = 0;

      if appended > 0 then
        insert into bifold.events
          (position, tenant, category, stream_id, version, type, schema_version, id, tags, data, metadata, recorded_at,
           stream_hash)
        select base + offsets[e.of_append] + e.in_append, e.tenant, e.category, e.stream_id,
               versions[e.of_append] + e.in_append, e.type, e.schema_version, e.id::uuid, e.tags::text[],
               e.data::json, e.metadata::json, log.clock, stream_hashes[e.of_append]
          from unnest(of_append, in_append,
                 coalesce(string_to_array(event_tenants, e'\n'), tenant_list),
                 coalesce(string_to_array(event_categories, e'\n'), category_list),
                 coalesce(string_to_array(event_stream_ids, e'\n'), stream_list),
                 string_to_array(types, e'\n'), schema_versions, string_to_array(event_ids, e'\n'),
                 string_to_array(tag_lists, e'\n'), string_to_array(datas, e'\n'), string_to_array(metadatas, e'\n'))
            as e(of_append, in_append, tenant, category, stream_id, type, schema_version, id, tags, data, metadata)
         where verdicts is null or verdicts[e.of_append] = 0;
      end if;
      exit;
    exception when unique_violation then
      -- A stream is beyond its expected version, or a command id is known.
      if careful then raise; end if;
      careful := true;
    end;
  end loop;

  if appended > 0 then
    perform pg_notify('bifold_log', (base + appended)::text);
  end if;
end
$$;

-- As it was, with the hash.
-- Runs inside the commit. Its owner's rights will do: a client needs no more than to insert into pending_appends.
create or replace function bifold.append_pending() returns trigger
  language plpgsql
  security definer
  set search_path = ''
  set enable_seqscan = off
as $$
declare
  log record;
  actual bigint;
  added integer := json_array_length(new.events);
  hash integer := bifold.stream_hash(new.tenant, new.stream_id);
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
    (position, tenant, category, stream_id, version, type, schema_version, id, tags, data, metadata, recorded_at,
     stream_hash)
  select log.head + number, new.tenant, new.category, new.stream_id, actual + number, event ->> 'type',
         coalesce((event ->> 'schemaVersion')::integer, 1), bifold.new_event_id(log.clock),
         array(select json_array_elements_text(event -> 'tags')), event -> 'data',
         case when new.command_id is null then coalesce(event -> 'metadata', '{}')
           else (coalesce((event -> 'metadata')::jsonb, '{}') || jsonb_build_object('commandId', new.command_id))::json
         end,
         log.clock, hash
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
