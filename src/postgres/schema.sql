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
  stream_hash integer,
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

create table bifold_views._active (
  projection text collate "C" not null,
  generation integer not null,
  swapped_at timestamp with time zone not null default clock_timestamp(),
  constraint _active_pkey PRIMARY KEY (projection),
  constraint _active_projection_generation_fkey FOREIGN KEY (projection, generation) REFERENCES bifold_views._generations(projection, generation)
);

create table bifold_views._checkpoints (
  projection text collate "C" not null,
  generation integer not null,
  shard integer not null,
  epoch bigint not null default 0,
  "position" bigint not null default 0,
  fingerprint text collate "C" not null default ''::text,
  lap bigint not null generated always as (("position" >> 6)) stored,
  cursor text collate "C",
  cursor_at bigint,
  constraint _checkpoints_pkey PRIMARY KEY (projection, generation, shard, lap),
  constraint _checkpoints_projection_generation_fkey FOREIGN KEY (projection, generation) REFERENCES bifold_views._generations(projection, generation)
) with (fillfactor=10, autovacuum_vacuum_scale_factor=0, autovacuum_vacuum_threshold=1000, vacuum_truncate=false);

create table bifold_views._dead_letters (
  projection text collate "C" not null,
  generation integer not null,
  tenant text collate "C" not null,
  key text collate "C" not null,
  "position" bigint not null,
  constraint _dead_letters_pkey PRIMARY KEY (projection, generation, tenant, key, "position"),
  constraint _dead_letters_projection_generation_tenant_key_fkey FOREIGN KEY (projection, generation, tenant, key) REFERENCES bifold_views._parked(projection, generation, tenant, key) ON DELETE CASCADE
);

create table bifold_views._dependents (
  projection text collate "C" not null,
  generation integer not null,
  referred text collate "C" not null,
  referred_generation integer not null,
  constraint _dependents_pkey PRIMARY KEY (projection, generation, referred, referred_generation),
  constraint _dependents_projection_generation_fkey FOREIGN KEY (projection, generation) REFERENCES bifold_views._generations(projection, generation),
  constraint _dependents_referred_referred_generation_fkey FOREIGN KEY (referred, referred_generation) REFERENCES bifold_views._generations(projection, generation)
);

create table bifold_views._generations (
  projection text collate "C" not null,
  generation integer not null,
  version integer not null,
  columns json not null,
  created_at timestamp with time zone not null default clock_timestamp(),
  shards integer not null default 1,
  keeps_past boolean not null default false,
  past_from bigint not null default 0,
  refs json not null default '[]'::json,
  definition text collate "C" not null default ''::text,
  row_shape text collate "C" not null default ''::text,
  served boolean not null default false,
  dropped boolean not null default false,
  stages text collate "C" not null default ''::text,
  set_aside boolean not null default false,
  sums json not null default '{}'::json,
  constraint _generations_pkey PRIMARY KEY (projection, generation)
);

create table bifold_views._leases (
  projection text collate "C" not null,
  generation integer not null,
  shard integer not null,
  owner text collate "C" not null,
  lease_until timestamp with time zone not null,
  failure json,
  constraint _leases_pkey PRIMARY KEY (projection, generation, shard)
) with (fillfactor=50, autovacuum_vacuum_scale_factor=0, autovacuum_vacuum_threshold=1000);

create table bifold_views._letter_requests (
  projection text collate "C" not null,
  generation integer not null,
  tenant text collate "C" not null,
  key text collate "C" not null,
  "position" bigint not null,
  action text not null,
  reason text,
  constraint _letter_requests_pkey PRIMARY KEY (projection, generation, tenant, key),
  constraint _letter_requests_projection_generation_tenant_key_fkey FOREIGN KEY (projection, generation, tenant, key) REFERENCES bifold_views._parked(projection, generation, tenant, key) ON DELETE CASCADE,
  constraint _letter_requests_action_check CHECK ((action = ANY (ARRAY['retry'::text, 'skip'::text]))),
  constraint _letter_requests_check CHECK (((reason IS NULL) = (action = 'retry'::text)))
);

create table bifold_views._loads (
  projection text collate "C" not null,
  generation integer not null,
  shard integer not null,
  "position" bigint not null default 0,
  goal bigint not null default 0,
  per_second bigint not null default 0,
  done boolean not null default false,
  constraint _loads_pkey PRIMARY KEY (projection, generation, shard),
  constraint _loads_projection_generation_fkey FOREIGN KEY (projection, generation) REFERENCES bifold_views._generations(projection, generation)
);

create table bifold_views._members (
  owner text collate "C" not null,
  alive_until timestamp with time zone not null,
  max_shards integer,
  views json not null,
  constraint _members_pkey PRIMARY KEY (owner)
) with (fillfactor=50, autovacuum_vacuum_scale_factor=0, autovacuum_vacuum_threshold=1000);

create table bifold_views._parked (
  projection text collate "C" not null,
  generation integer not null,
  tenant text collate "C" not null,
  key text collate "C" not null,
  shard integer not null,
  "position" bigint not null,
  code text not null,
  message text not null,
  stack text,
  attempts integer not null,
  since timestamp with time zone not null,
  refs_at bigint,
  constraint _parked_pkey PRIMARY KEY (projection, generation, tenant, key),
  constraint _parked_projection_generation_fkey FOREIGN KEY (projection, generation) REFERENCES bifold_views._generations(projection, generation)
);

create table bifold_views._pauses (
  projection text collate "C" not null,
  paused_at timestamp with time zone not null default clock_timestamp(),
  constraint _pauses_pkey PRIMARY KEY (projection)
);

create table bifold_views._skips (
  projection text collate "C" not null,
  generation integer not null,
  tenant text collate "C" not null,
  key text collate "C" not null,
  "position" bigint not null,
  reason text not null,
  skipped_at timestamp with time zone not null,
  constraint _skips_pkey PRIMARY KEY (projection, generation, tenant, key, "position"),
  constraint _skips_projection_generation_fkey FOREIGN KEY (projection, generation) REFERENCES bifold_views._generations(projection, generation)
);

CREATE INDEX commands_recorded_at ON bifold.commands USING brin (recorded_at);

CREATE INDEX _dependents_referred ON bifold_views._dependents USING btree (referred, referred_generation);

CREATE INDEX _parked_shard ON bifold_views._parked USING btree (projection, generation, shard);

CREATE OR REPLACE FUNCTION bifold.append_batch(known_position bigint, known_fingerprint text, tenants text, categories text, stream_ids text, expected_versions bigint[], certain integer[], command_names text, command_ids text, command_hashes text, event_counts integer[], offsets integer[], same_streams integer[], same_commands integer[], of_append integer[], in_append integer[], event_tenants text, event_categories text, event_stream_ids text, types text, schema_versions integer[], event_ids text, tag_lists text, datas text, metadatas text, stream_hashes integer[] DEFAULT NULL::integer[], OUT base bigint, OUT base_fingerprint text, OUT recorded_at text, OUT verdicts integer[], OUT versions bigint[])
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

CREATE OR REPLACE FUNCTION bifold.stream_hash(tenant text, stream_id text)
 RETURNS integer
 LANGUAGE plpgsql
 IMMUTABLE PARALLEL SAFE STRICT
 SET search_path TO ''
AS $function$
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
$function$;

CREATE OR REPLACE FUNCTION bifold_views._activate(_projection text, _generation integer, _wait_ms integer, _near bigint, _with_parked boolean, _by_hand boolean DEFAULT true)
 RETURNS TABLE(outcome text, goal bigint, reached bigint)
 LANGUAGE plpgsql
AS $function$
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
$function$;

CREATE OR REPLACE FUNCTION bifold_views._checkpoints_of(_projection text, _generation integer)
 RETURNS SETOF bifold_views._checkpoints
 LANGUAGE plpgsql
 STABLE
 SET enable_seqscan TO 'off'
 SET enable_bitmapscan TO 'off'
AS $function$
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
$function$;

CREATE OR REPLACE FUNCTION bifold_views._hold_for_append(_projection text, _generation integer, _wait_ms integer, OUT held boolean, OUT epoch bigint, OUT "position" bigint, OUT fingerprint text, OUT reserved boolean, OUT has_letters boolean)
 RETURNS record
 LANGUAGE plpgsql
 SET enable_seqscan TO 'off'
 SET enable_bitmapscan TO 'off'
AS $function$
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
$function$;

CREATE OR REPLACE FUNCTION bifold_views._point(_projection text)
 RETURNS void
 LANGUAGE plpgsql
AS $function$
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
$function$;

CREATE CONSTRAINT TRIGGER append_pending AFTER INSERT ON bifold.pending_appends DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION bifold.append_pending();

CREATE TRIGGER check_pending BEFORE INSERT ON bifold.pending_appends FOR EACH ROW EXECUTE FUNCTION bifold.check_pending();

comment on table bifold_views._active is 'The generation of each view that serves.';

comment on table bifold_views._checkpoints is 'Up to where a generation has folded the log, shard by shard. Also the fence: who commits names epoch and position.';

comment on column bifold_views._checkpoints.lap is 'Keeps look-ups fast under an old snapshot. A shard has one row, whatever its lap.';

comment on column bifold_views._checkpoints.cursor is 'How far a part of the next move has come. It counts only while the position is cursor_at.';

comment on table bifold_views._dead_letters is 'The events of parked keys that are not in their rows.';

comment on table bifold_views._dependents is 'Which generation has rows that are made with rows of which other one: whose past is kept for it.';

comment on table bifold_views._generations is 'Each shape that a view has had. A number is never used again, so no row is ever deleted.';

comment on column bifold_views._generations.shards is 'How many shards the keys are divided into; each has a row in _checkpoints.';

comment on column bifold_views._generations.keeps_past is 'May others refer to its rows? Then there is a table of what they were.';

comment on column bifold_views._generations.past_from is 'As of positions before this one it is no longer known what its rows were.';

comment on column bifold_views._generations.refs is 'The references of its rows, and the shapes of the views to which they lead.';

comment on column bifold_views._generations.definition is 'A hash of what the projection makes of events. Empty: made by a release that had none, and filled by the next process that opens it.';

comment on column bifold_views._generations.row_shape is 'A hash of what its rows look like.';

comment on column bifold_views._generations.served is 'Has it ever been the one that serves? One that has not is being built.';

comment on column bifold_views._generations.dropped is 'Its table and its checkpoints are gone. The row stays, so that the number is not used again.';

comment on column bifold_views._generations.stages is 'What is kept beside the rows: the columns of the states and the names of the rollups; empty where there is nothing.';

comment on column bifold_views._generations.set_aside is 'Was it swapped away from by hand?';

comment on column bifold_views._generations.sums is 'By the name of each rollup, a hash of what its sums are named. Empty: it has none, or was made by a release that did not say.';

comment on table bifold_views._leases is 'Who holds a shard, and until when unless it beats again. No row: nobody does.';

comment on column bifold_views._leases.failure is 'What stops the shard, as its owner last said: { code, message, … }. Null: nothing does.';

comment on table bifold_views._letter_requests is 'What the process that holds a key''s shard is asked to do with the parked key.';

comment on table bifold_views._loads is 'Bulk loads that are under way, shard by shard: up to where each has folded. A generation has rows here until all of its shards are loaded and its indexes are made.';

comment on table bifold_views._members is 'The processes that carry views on, each until its next beat is overdue.';

comment on column bifold_views._members.max_shards is 'It wants no more than this. Null: as many as there are.';

comment on column bifold_views._members.views is 'The generations that it knows: [[projection, generation, shards], …].';

comment on table bifold_views._parked is 'Keys that stand still, each with the event at which its fold failed, and the error.';

comment on column bifold_views._parked.refs_at is 'As of which position the rows are that its row is made with; null: of no one, or it is made with none.';

comment on table bifold_views._pauses is 'Projections that are paused: a row is made by pausing, and deleted by resuming.';

comment on table bifold_views._skips is 'Events that are left out of a row by decision. A new generation takes over those of all others, also of dropped ones.';

comment on table bifold.commands is 'What was carried out under which command id. Pruned by age.';

comment on column bifold.commands.hash is 'Of the command''s payload: the same id with another hash is an error.';

comment on column bifold.commands.version is 'The stream''s version after the command.';

comment on column bifold.commands.last_position is 'The log''s head after the command. Its events are first_position to last_position: none where first is greater.';

comment on column bifold.events."position" is '1, 2, 3 … without gaps, in the order of commit. Given under the log''s lock.';

comment on column bifold.events.version is '1, 2, 3 … without gaps within (tenant, category, stream_id).';

comment on column bifold.events.recorded_at is 'The clock under the log''s lock. Never goes back.';

comment on column bifold.events.stream_hash is 'What divides streams into shards. Null where it was not known yet: then everybody reads the event.';

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

comment on function bifold_views._activate(text,integer,integer,bigint,boolean,boolean) is 'The swap: lets another generation of a view serve, once it has reached the one that serves.';

comment on function bifold_views._checkpoints_of(text,integer) is 'The checkpoint of each shard, in no order, however many old versions a snapshot keeps.';

comment on function bifold_views._hold_for_append(text,integer,integer) is 'Locks the checkpoint of a view that is written with an append, and says whether it may be.';

comment on function bifold_views._point(text) is 'Puts the view with the plain name over the generation that serves.';
