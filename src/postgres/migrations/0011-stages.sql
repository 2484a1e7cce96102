-- What a generation keeps beside its rows (the states they are made of, sums over them) is a part of its shape: a projection
-- with other stages needs another generation. The default is nothing, as in those of the release before.

alter table bifold_views._generations add column stages text collate "C" not null default '';
comment on column bifold_views._generations.stages is 'What is kept beside the rows: the columns of the states and the names of the rollups; empty where there is nothing.';
