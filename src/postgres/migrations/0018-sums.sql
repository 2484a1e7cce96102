-- Queries of a rollup are answered from a generation whose sums have the names that they were written for.

alter table bifold_views._generations add column sums json not null default '{}';
comment on column bifold_views._generations.sums is 'By the name of each rollup, a hash of what its sums are named. Empty: it has none, or was made by a release that did not say.';
