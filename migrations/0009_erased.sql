-- Runs that were erased by id. An event of such a run may still wait in the spool of a server that could not
-- reach the database, on whatever machine: what drains a spool leaves out what is older than its
-- erasure. Rows go after a month.
create table erased (
    -- Run key or session key that was asked for, or run key of a row that went with it.
    key uuid primary key,
    -- When it was asked for, by the clock of the server that was asked.
    at timestamptz not null
);
