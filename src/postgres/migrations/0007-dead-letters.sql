-- What could not be folded into rows. A key whose fold fails is parked: its row stands as it was before the event, and that
-- event and all later ones of the key wait here in order, as positions, so that erasure and upcasting still reach them.

create table bifold_views._parked (
  projection text collate "C" not null,
  generation integer not null,
  tenant text collate "C" not null,
  key text collate "C" not null,
  shard integer not null,
  position bigint not null,
  code text not null,
  message text not null,
  stack text,
  attempts integer not null,
  since timestamptz not null,
  primary key (projection, generation, tenant, key),
  foreign key (projection, generation) references bifold_views._generations
);
create index _parked_shard on bifold_views._parked (projection, generation, shard);
comment on table bifold_views._parked is 'Keys that stand still, each with the event at which its fold failed, and the error.';

create table bifold_views._dead_letters (
  projection text collate "C" not null,
  generation integer not null,
  tenant text collate "C" not null,
  key text collate "C" not null,
  position bigint not null,
  primary key (projection, generation, tenant, key, position),
  foreign key (projection, generation, tenant, key) references bifold_views._parked on delete cascade
);
comment on table bifold_views._dead_letters is 'The events of parked keys that are not in their rows.';

create table bifold_views._letter_requests (
  projection text collate "C" not null,
  generation integer not null,
  tenant text collate "C" not null,
  key text collate "C" not null,
  position bigint not null,
  action text not null check (action in ('retry', 'skip')),
  reason text check ((reason is null) = (action = 'retry')),
  primary key (projection, generation, tenant, key),
  foreign key (projection, generation, tenant, key) references bifold_views._parked on delete cascade
);
comment on table bifold_views._letter_requests is 'What the process that holds a key''s shard is asked to do with the parked key.';

create table bifold_views._skips (
  projection text collate "C" not null,
  generation integer not null,
  tenant text collate "C" not null,
  key text collate "C" not null,
  position bigint not null,
  reason text not null,
  skipped_at timestamptz not null,
  primary key (projection, generation, tenant, key, position),
  foreign key (projection, generation) references bifold_views._generations
);
comment on table bifold_views._skips is 'Events that are left out of a row by decision. A new generation takes over those of the one before it.';
