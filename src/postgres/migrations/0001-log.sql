-- The log: every event at a gapless position, in the order of commit.
-- Text in keys is compared byte by byte ("C"): faster, and the same on every machine.

create table bifold.log (
  the_only boolean primary key default true check (the_only),
  id uuid not null
);
comment on table bifold.log is 'Which log this is. Tokens and checkpoints carry its id.';
insert into bifold.log (id) values (gen_random_uuid());

create table bifold.events (
  position bigint primary key,
  tenant text collate "C" not null,
  category text collate "C" not null,
  stream_id text collate "C" not null,
  version bigint not null,
  type text collate "C" not null,
  schema_version integer not null,
  id uuid not null,
  tags text[] not null,
  -- json, not jsonb: written a fifth faster, and read as it was written, to the byte.
  data json not null,
  metadata json not null,
  recorded_at timestamptz not null,
  unique (tenant, category, stream_id, version)
);
comment on column bifold.events.position is '1, 2, 3 … without gaps, in the order of commit. Given under the log''s lock.';
comment on column bifold.events.version is '1, 2, 3 … without gaps within (tenant, category, stream_id).';
comment on column bifold.events.recorded_at is 'The clock under the log''s lock. Never goes back.';

create table bifold.commands (
  tenant text collate "C" not null,
  name text collate "C" not null,
  id text collate "C" not null,
  hash text collate "C" not null,
  version bigint not null,
  first_position bigint not null,
  last_position bigint not null,
  recorded_at timestamptz not null,
  primary key (tenant, name, id)
);
comment on table bifold.commands is 'What was carried out under which command id. Pruned by age.';
comment on column bifold.commands.hash is 'Of the command''s payload: the same id with another hash is an error.';
comment on column bifold.commands.version is 'The stream''s version after the command.';
comment on column bifold.commands.last_position is 'The log''s head after the command. Its events are first_position to last_position: none where first is greater.';
-- Rows come in the order of their time, so the smallest kind of index will do for pruning.
create index commands_recorded_at on bifold.commands using brin (recorded_at);

-- Takes the log's lock until the transaction ends, and says where the log stands. Whoever appends calls this first, and
-- takes no other lock after it that anybody may hold while he waits for this one.
create function bifold.lock_log(out head bigint, out head_id uuid, out clock timestamptz)
  language plpgsql volatile
  set search_path = ''
  set enable_seqscan = off
as $$
declare
  latest timestamptz;
begin
  -- Each statement must see what was committed before the lock was given. A snapshot of the whole transaction would
  -- not, and give out positions twice.
  if current_setting('transaction_isolation') <> 'read committed' then
    raise exception 'bifold: a transaction that appends must be READ COMMITTED, this one is %',
      upper(current_setting('transaction_isolation'))
      using errcode = 'BF003', hint = 'begin isolation level read committed';
  end if;
  perform pg_advisory_xact_lock(3177001, 1);
  select e.position, e.id, e.recorded_at into head, head_id, latest
    from bifold.events e order by e.position desc limit 1;
  head := coalesce(head, 0);
  -- A clock that was set back must not take recorded_at along.
  clock := greatest(clock_timestamp(), latest);
end
$$;

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
          (position, tenant, category, stream_id, version, type, schema_version, id, tags, data, metadata, recorded_at)
        select base + offsets[e.of_append] + e.in_append, e.tenant, e.category, e.stream_id,
               versions[e.of_append] + e.in_append, e.type, e.schema_version, e.id::uuid, e.tags::text[],
               e.data::json, e.metadata::json, log.clock
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
