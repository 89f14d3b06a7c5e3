-- Distributes the tables over several machines with Citus. UNTESTED, and not supported by the current server: a
-- sketch of the layout for which the keys were chosen, with the changes that it would require. docs/SCALING.md
-- says when this is worth considering.
--
-- Run on the coordinator as a superuser, after `telemetry-server migrate` and before the first event:
--   psql -d telemetry -f deploy/citus/prepare.sql

create extension if not exists citus;

-- Small tables that most queries read, with a copy on every node.
select create_reference_table('setting');
select create_reference_table('population');
select create_reference_table('signature');
select create_reference_table('triage');
select create_reference_table('exit_code_meaning');
select create_reference_table('session_touched');
select create_reference_table('erased');
select create_reference_table('known_name');

-- Executions, distributed by their key: reading and writing one is local to a shard, and a batch is split by
-- shard.
select create_distributed_table('execution', 'run_key', shard_count := 32);

-- Counts by day, all in one group of shards: a query about one day is local, and one about many days is spread
-- over the machines. In return, all writes of today go to one shard. These are a few hundred rows per batch,
-- regardless of the number of executions.
select create_distributed_table('rollup_script', 'day', colocate_with := 'none', shard_count := 32);
select create_distributed_table('rollup_duration', 'day', colocate_with := 'rollup_script');
select create_distributed_table('rollup_facet', 'day', colocate_with := 'rollup_script');
select create_distributed_table('rollup_exit_code', 'day', colocate_with := 'rollup_script');
select create_distributed_table('rollup_signature', 'day', colocate_with := 'rollup_script');
select create_distributed_table('rollup_environment', 'day', colocate_with := 'rollup_script');
select create_distributed_table('rollup_hour', 'day', colocate_with := 'rollup_script');
select create_distributed_table('rollup_session', 'day', colocate_with := 'rollup_script');

-- The server would have to change as follows:
-- 1. write_batch.sql changes tables of two groups in one statement, which Citus rejects. It would become one
--    transaction with a statement for each table, committed in two phases by Citus; require_rows would become a
--    comparison in the server.
-- 2. delete_older.sql and erasure lock rows of many shards with FOR UPDATE, which Citus rejects. They would first
--    read the keys, then delete key by key in key order.
-- 3. Identity columns of reference tables, and `lock table` in rebuild, work on the coordinator only.
-- 4. Lists by time (execution_first_seen) and by application query every shard and merge the results: pages remain
--    correct and cost as much as the slowest shard. The runs of a session are read from every shard as well.
