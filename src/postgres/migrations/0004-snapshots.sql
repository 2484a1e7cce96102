-- States of aggregates, so that a long stream need not be folded from its beginning. Nothing rests on them: a row that is
-- missing, old or of another history costs time and nothing else, and every row may be deleted at any time.

create table bifold.snapshots (
  tenant text collate "C" not null,
  category text collate "C" not null,
  stream_id text collate "C" not null,
  snapshot_version integer not null,
  version bigint not null,
  position bigint not null,
  fingerprint text collate "C" not null,
  -- text, not json: nobody looks into it, and json refuses what a JavaScript string may hold.
  state text not null,
  primary key (tenant, category, stream_id)
);
comment on table bifold.snapshots is 'The newest kept state of each long stream. Rows may be deleted at any time.';
comment on column bifold.snapshots.snapshot_version is 'The version that the aggregate declared for its snapshots: states of another one are passed over.';
comment on column bifold.snapshots.version is 'The state holds the stream''s events up to this one,';
comment on column bifold.snapshots.position is 'which has this position';
comment on column bifold.snapshots.fingerprint is 'and this fingerprint, unless the log is of another history.';
