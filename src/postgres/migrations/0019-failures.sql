-- What stops a shard is known where it is carried on. Others are to know it too: who waits for the view, and who watches over
-- it. It goes with the lease, with whose renewal it is told.

alter table bifold_views._leases add column failure json;
comment on column bifold_views._leases.failure is 'What stops the shard, as its owner last said: { code, message, … }. Null: nothing does.';
