comment on table bifold_views._skips is 'Events that are left out of a row by decision. A new generation takes over those of all others, also of dropped ones.';
