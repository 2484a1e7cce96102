-- What the migrations make, all together. Written by `npm run schema`, never by hand.

create schema bifold;

create schema bifold_views;

create sequence bifold.pending_appends_id_seq as bigint increment 1 start 1 cache 1;

create table bifold.commands (
  tenant text collate "C" not null,
  name text collate "C" not null,
  id text collate "C" not null,
  hash text collate "C" not null,
  version bigint not null,
  first_position bigint not null,
  last_position bigint not null,
  recorded_at timestamp with time zone not null,
  constraint commands_pkey PRIMARY KEY (tenant, name, id)
);

create table bifold.events (
  "position" bigint not null,
  tenant text collate "C" not null,
  category text collate "C" not null,
  stream_id text collate "C" not null,
  version bigint not null,
  type text collate "C" not null,
  schema_version integer not null,
  id uuid not null,
  tags text[] not null,
  data json not null,
  metadata json not null,
  recorded_at timestamp with time zone not null,
  constraint events_pkey PRIMARY KEY ("position"),
  constraint events_tenant_category_stream_id_version_key UNIQUE (tenant, category, stream_id, version)
);

create table bifold.log (
  the_only boolean not null default true,
  id uuid not null,
  constraint log_pkey PRIMARY KEY (the_only),
  constraint log_the_only_check CHECK (the_only)
);

create table bifold.migrations (
  number integer not null,
  name text not null,
  checksum text not null,
  applied_at timestamp with time zone not null default clock_timestamp(),
  constraint migrations_pkey PRIMARY KEY (number)
);

create table bifold.pending_appends (
  id bigint not null generated always as identity,
  tenant bifold.key_text not null default 'default'::text,
  category bifold.key_text not null,
  stream_id bifold.key_text not null,
  expected_version bigint,
  events json not null,
  command_name bifold.key_text,
  command_id bifold.key_text,
  command_hash bifold.key_text,
  constraint pending_appends_pkey PRIMARY KEY (id),
  constraint pending_appends_check CHECK ((((command_id IS NULL) = (command_name IS NULL)) AND ((command_id IS NULL) = (command_hash IS NULL)))),
  constraint pending_appends_events_check CHECK ((octet_length((events)::text) <= 16777216)),
  constraint pending_appends_expected_version_check CHECK ((expected_version >= 0))
);

create table bifold.snapshots (
  tenant text collate "C" not null,
  category text collate "C" not null,
  stream_id text collate "C" not null,
  snapshot_version integer not null,
  version bigint not null,
  "position" bigint not null,
  fingerprint text collate "C" not null,
  state text not null,
  constraint snapshots_pkey PRIMARY KEY (tenant, category, stream_id)
);

create table bifold_views._checkpoints (
  projection text collate "C" not null,
  generation integer not null,
  shard integer not null,
  epoch bigint not null default 0,
  "position" bigint not null default 0,
  fingerprint text collate "C" not null default ''::text,
  constraint _checkpoints_pkey PRIMARY KEY (projection, generation, shard),
  constraint _checkpoints_projection_generation_fkey FOREIGN KEY (projection, generation) REFERENCES bifold_views._generations(projection, generation)
) with (fillfactor=10, autovacuum_vacuum_scale_factor=0, autovacuum_vacuum_threshold=1000);

create table bifold_views._generations (
  projection text collate "C" not null,
  generation integer not null,
  version integer not null,
  columns json not null,
  created_at timestamp with time zone not null default clock_timestamp(),
  shards integer not null default 1,
  constraint _generations_pkey PRIMARY KEY (projection, generation)
);

CREATE INDEX commands_recorded_at ON bifold.commands USING brin (recorded_at);

CREATE OR REPLACE FUNCTION bifold.append_batch(known_position bigint, known_fingerprint text, tenants text, categories text, stream_ids text, expected_versions bigint[], certain integer[], command_names text, command_ids text, command_hashes text, event_counts integer[], offsets integer[], same_streams integer[], same_commands integer[], of_append integer[], in_append integer[], event_tenants text, event_categories text, event_stream_ids text, types text, schema_versions integer[], event_ids text, tag_lists text, datas text, metadatas text, OUT base bigint, OUT base_fingerprint text, OUT recorded_at text, OUT verdicts integer[], OUT versions bigint[])
 RETURNS record
 LANGUAGE plpgsql
 SET search_path TO ''
 SET enable_seqscan TO 'off'
 SET enable_bitmapscan TO 'off'
 SET plan_cache_mode TO 'force_generic_plan'
AS $function$
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
$function$;

CREATE OR REPLACE FUNCTION bifold.append_pending()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
 SET enable_seqscan TO 'off'
AS $function$
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
$function$;

CREATE OR REPLACE FUNCTION bifold.check_pending()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
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
$function$;

CREATE OR REPLACE FUNCTION bifold.lock_log(OUT head bigint, OUT head_id uuid, OUT clock timestamp with time zone)
 RETURNS record
 LANGUAGE plpgsql
 SET search_path TO ''
 SET enable_seqscan TO 'off'
AS $function$
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
$function$;

CREATE OR REPLACE FUNCTION bifold.new_event_id(at timestamp with time zone)
 RETURNS uuid
 LANGUAGE sql
 SET search_path TO ''
RETURN (encode(set_bit(set_bit(OVERLAY(uuid_send(gen_random_uuid()) PLACING SUBSTRING(int8send((floor((EXTRACT(epoch FROM at) * (1000)::numeric)))::bigint) FROM 3) FROM 1 FOR 6), (52)::bigint, 1), (53)::bigint, 1), 'hex'::text))::uuid;

CREATE CONSTRAINT TRIGGER append_pending AFTER INSERT ON bifold.pending_appends DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION bifold.append_pending();

CREATE TRIGGER check_pending BEFORE INSERT ON bifold.pending_appends FOR EACH ROW EXECUTE FUNCTION bifold.check_pending();

comment on table bifold_views._checkpoints is 'Up to where a generation has folded the log, shard by shard. Also the fence: who commits names epoch and position.';

comment on table bifold_views._generations is 'Each shape that a view has had. A number is never used again, so no row is ever deleted.';

comment on column bifold_views._generations.shards is 'How many shards the keys are divided into; each has a row in _checkpoints.';

comment on table bifold.commands is 'What was carried out under which command id. Pruned by age.';

comment on column bifold.commands.hash is 'Of the command''s payload: the same id with another hash is an error.';

comment on column bifold.commands.version is 'The stream''s version after the command.';

comment on column bifold.commands.last_position is 'The log''s head after the command. Its events are first_position to last_position: none where first is greater.';

comment on column bifold.events."position" is '1, 2, 3 … without gaps, in the order of commit. Given under the log''s lock.';

comment on column bifold.events.version is '1, 2, 3 … without gaps within (tenant, category, stream_id).';

comment on column bifold.events.recorded_at is 'The clock under the log''s lock. Never goes back.';

comment on table bifold.log is 'Which log this is. Tokens and checkpoints carry its id.';

comment on table bifold.pending_appends is 'Insert a row, and its events are in the log when the transaction commits. The row is gone then.';

comment on column bifold.pending_appends.expected_version is 'The version the stream must have then: 0 for a new one, null for any.';

comment on column bifold.pending_appends.events is 'An array of {"type", "data", "schemaVersion" (1), "tags" ([]), "metadata" ({})}, at least one and at most 1000.';

comment on column bifold.pending_appends.command_id is 'With command_name and the tenant it is carried out once. command_hash tells whether a repetition is the same command.';

comment on table bifold.snapshots is 'The newest kept state of each long stream. Rows may be deleted at any time.';

comment on column bifold.snapshots.snapshot_version is 'The version that the aggregate declared for its snapshots: states of another one are passed over.';

comment on column bifold.snapshots.version is 'The state holds the stream''s events up to this one,';

comment on column bifold.snapshots."position" is 'which has this position';

comment on column bifold.snapshots.fingerprint is 'and this fingerprint, unless the log is of another history.';
