-- Generations that are loaded in bulk get their declared indexes after the rows.

create table bifold_views._loads (
  projection text collate "C" not null,
  generation integer not null,
  shard integer not null,
  position bigint not null default 0,
  goal bigint not null default 0,
  per_second bigint not null default 0,
  done boolean not null default false,
  primary key (projection, generation, shard),
  foreign key (projection, generation) references bifold_views._generations
);
comment on table bifold_views._loads is 'Bulk loads that are under way, shard by shard: up to where each has folded. A generation has rows here until all of its shards are loaded and its indexes are made.';
