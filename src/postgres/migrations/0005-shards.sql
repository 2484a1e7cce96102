-- The number of shards is a part of a generation's shape: another number divides the keys otherwise. The default is for
-- processes of the release before, which know of one shard only.

alter table bifold_views._generations add column shards integer not null default 1;
comment on column bifold_views._generations.shards is 'How many shards the keys are divided into; each has a row in _checkpoints.';
