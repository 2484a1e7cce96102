-- A key is parked also where a row changed to which its own refers, and then its row stands still in what it refers to as well.
alter table bifold_views._parked add column refs_at bigint;
comment on column bifold_views._parked.refs_at is 'As of which position the rows are that its row is made with; null: of no one, or it is made with none.';
