-- Deletes some expired executions, oldest first.
-- $1: end of the expired first events. $2: start of the search, where the last batch ended, so that index entries
-- of deleted rows are not scanned again. $3: largest number of rows.
-- Rows that others have locked are left for the next pass, so that nobody waits.
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
