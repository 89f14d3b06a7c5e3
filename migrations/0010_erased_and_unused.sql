-- Commits look at the erasures and at the populations they use, in the transaction that writes.
--
-- Also new, in the table setting: id_key_fingerprint, a hash that only the key behind the run keys makes. A server with
-- another key does not start. And population and signature: rows under which nothing is counted any more are deleted.

-- The advisory lock between commits, which share it, and everything that deletes what commits may use: erasing, and
-- the deletion of populations and templates that nothing counts any more.
create function erasure_lock() returns bigint language sql immutable as $$ select 8387229063796908403 $$;

-- Called before a batch is written. Takes the shared lock until the transaction ends; then raises 40001 if one of
-- the events arrived before its execution or session (`keys`) was erased, or if one of the populations has been
-- deleted. Volatile, so that its queries see what was committed while the lock was awaited.
create function check_batch(keys uuid[], arrivals timestamptz[], populations integer[]) returns boolean
language plpgsql volatile as $$
begin
    perform pg_advisory_xact_lock_shared(erasure_lock());
    if exists (
        select from unnest(keys, arrivals) as event (key, arrival) join erased using (key) where arrival <= at
    ) or exists (
        select from unnest(populations) as used (id)
        where not exists (select from population where population.id = used.id)
    ) then
        raise exception 'something was deleted that the batch uses' using errcode = 'serialization_failure';
    end if;
    return true;
end
$$;
