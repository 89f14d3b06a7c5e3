-- Tables over several machines with Citus. NOT RUN by us and not supported by the server as it is: a sketch of
-- the layout that the keys were chosen for, with what would have to change. docs/SCALING.md tells when
-- one would want this at all.
--
-- On the coordinator, as superuser, after `telemetry-server migrate` and before the first event:
--   psql -d telemetry -f deploy/citus/prepare.sql

create extension if not exists citus;

-- Small, asked by everything, and a copy on every node.
select create_reference_table('setting');
select create_reference_table('population');
select create_reference_table('signature');
select create_reference_table('exit_code_meaning');
select create_reference_table('session_touched');
select create_reference_table('erased');

-- Runs by their key: reading and writing a run is local to one shard, and a batch is cut into as many pieces as
-- there are shards.
select create_distributed_table('execution', 'run_key', shard_count := 32);

-- Counts by day. All of them are in one group of shards, so that what is asked of a day is local, and a question
-- about many days is spread over the machines. The price: all writes of today go to one shard. They are a
-- few hundred rows a batch, however many runs it has.
select create_distributed_table('rollup_script', 'day', colocate_with := 'none', shard_count := 32);
select create_distributed_table('rollup_duration', 'day', colocate_with := 'rollup_script');
select create_distributed_table('rollup_facet', 'day', colocate_with := 'rollup_script');
select create_distributed_table('rollup_exit_code', 'day', colocate_with := 'rollup_script');
select create_distributed_table('rollup_signature', 'day', colocate_with := 'rollup_script');
select create_distributed_table('rollup_environment', 'day', colocate_with := 'rollup_script');
select create_distributed_table('rollup_hour', 'day', colocate_with := 'rollup_script');
select create_distributed_table('rollup_session', 'day', colocate_with := 'rollup_script');

-- What the server would have to do otherwise:
-- 1. write_batch.sql changes tables of two groups in one statement, which Citus refuses. It becomes one transaction
--    of a statement for each table; require_rows becomes a comparison in the server. Citus commits it in
--    two phases.
-- 2. delete_older.sql and erasing lock rows of many shards with FOR UPDATE, which Citus refuses: first read
--    the keys, then delete key by key, locking in key order.
-- 3. Identity columns of reference tables and `lock table` in rebuild work from the coordinator only.
-- 4. Lists by time (execution_first_seen) and by application ask every shard and merge: their pages stay right,
--    their cost is that of the slowest shard. One's own run by session asks every shard as well.
