-- Views: what projections have folded. Each generation of a view has a table of its own, which is made when the view is
-- first opened: "<projection>__g<generation>", with underscores for hyphens. Beside it stands a SQL view with the plain
-- name, for people and tools. Names of projections begin with a letter and have no double underscore, so that neither
-- these tables nor those of generations can be taken for one.

create schema bifold_views;
comment on schema bifold_views is 'What projections have folded: a SQL view for each, over the table of its newest generation.';

create table bifold_views._generations (
  projection text collate "C" not null,
  generation integer not null,
  version integer not null,
  columns json not null,
  created_at timestamptz not null default clock_timestamp(),
  primary key (projection, generation)
);
comment on table bifold_views._generations is 'Each shape that a view has had. A number is never used again, so no row is ever deleted.';

create table bifold_views._checkpoints (
  projection text collate "C" not null,
  generation integer not null,
  shard integer not null,
  epoch bigint not null default 0,
  position bigint not null default 0,
  fingerprint text collate "C" not null default '',
  primary key (projection, generation, shard),
  foreign key (projection, generation) references bifold_views._generations
) with (
  -- A row is updated with every commit. Room on its page lets the new version stand beside the old one (HOT), where the
  -- next reader clears the old ones away; what a long snapshot held back, vacuum takes soon after.
  fillfactor = 10,
  autovacuum_vacuum_scale_factor = 0,
  autovacuum_vacuum_threshold = 1000
);
comment on table bifold_views._checkpoints is 'Up to where a generation has folded the log, shard by shard. Also the fence: who commits names epoch and position.';
