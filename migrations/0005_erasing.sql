-- Executions that were erased by id. An event of such an execution may still wait in the spool of any server.
-- When a spool is drained, events older than the erasure are left out. Rows are deleted after a month.
create table erased (
    -- The run key or session key of the request, or the run key of a row that was erased with it.
    key uuid primary key,
    -- When the erasure was requested, by the clock of the server that took the request.
    at timestamptz not null
);
