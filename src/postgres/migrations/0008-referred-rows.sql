-- Rows that are made with rows of other views. A generation that is referred to keeps, in a table of its own
-- ("<projection>__g<generation>__past"), what its rows were before each event that changed them, until every generation that
-- refers to it has passed that event.

alter table bifold_views._generations
  add column keeps_past boolean not null default false,
  add column past_from bigint not null default 0,
  add column refs json not null default '[]';
comment on column bifold_views._generations.keeps_past is 'May others refer to its rows? Then there is a table of what they were.';
comment on column bifold_views._generations.past_from is 'As of positions before this one it is no longer known what its rows were.';
comment on column bifold_views._generations.refs is 'The references of its rows, and the shapes of the views to which they lead.';

alter table bifold_views._checkpoints
  add column cursor text collate "C",
  add column cursor_at bigint;
comment on column bifold_views._checkpoints.cursor is 'How far a part of the next move has come. It counts only while the position is cursor_at.';

create table bifold_views._dependents (
  projection text collate "C" not null,
  generation integer not null,
  referred text collate "C" not null,
  referred_generation integer not null,
  primary key (projection, generation, referred, referred_generation),
  foreign key (projection, generation) references bifold_views._generations,
  foreign key (referred, referred_generation) references bifold_views._generations
);
create index _dependents_referred on bifold_views._dependents (referred, referred_generation);
comment on table bifold_views._dependents is 'Which generation has rows that are made with rows of which other one: whose past is kept for it.';
