-- Deletes some executions for their age, oldest first.
-- $1: those with a first event before this time. $2: but not before this one: where the last batch
-- ended, so that index entries of deleted rows are not walked through again. $3: at most so many.
-- A row that somebody else works on is left for the next time: nobody waits for anybody.
with gone as (
    delete from execution where run_key = any(array(
        select run_key from execution
        where first_seen < $1 and first_seen >= $2
        order by first_seen
        limit $3
        for update skip locked
    ))
    returning first_seen
)
select count(*) as "rows!", max(first_seen) as last from gone
