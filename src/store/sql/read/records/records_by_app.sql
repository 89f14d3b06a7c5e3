-- By application, then oldest first. $1 and $2: first seen from this time on and before that one. $3 filter,
-- $4 applications or null. $5: at most so many, $6: after skipping so many. $7 to $9: behind this application, time
-- and key; null: from the beginning. $10: applications that are listed, and sorted, as `(rare)`.
select row as "row!: Stored" from (
    (
        select execution as row, app as name, first_seen, run_key from execution
        where app is not null and first_seen >= $1 and first_seen < $2
            and is_listed(execution, $3) and ($4::text[] is null or app = any($4)) and app <> all($10::text[])
            and ($7::text is null or app >= $7 and (app, first_seen, run_key) > ($7, $8::timestamptz, $9::uuid))
        order by app, first_seen, run_key
        limit $5::bigint + $6::bigint
    )
    union all
    (
        select execution, '(rare)', first_seen, run_key from execution
        where app = any($10) and first_seen >= $1 and first_seen < $2
            and is_listed(execution, $3) and ($4 is null or app = any($4))
            and ($7 is null or ('(rare)', first_seen, run_key) > ($7, $8, $9))
        order by first_seen, run_key
        limit $5 + $6
    )
) as found
order by name, first_seen, run_key
limit $5 offset $6
