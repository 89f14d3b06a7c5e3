-- By application, then oldest first. $1 and $2: first seen from this time on and before that one. $3 filter,
-- $4 applications or null. $5: at most so many, $6: after skipping so many. $7 to $9: behind this application, time
-- and key; null: from the beginning.
select execution as "row!: Stored" from execution
where app is not null and first_seen >= $1 and first_seen < $2
    and passes(execution, $3) and ($4::text[] is null or app = any($4))
    and ($7::text is null or app >= $7 and (app, first_seen, run_key) > ($7, $8::timestamptz, $9::uuid))
order by app, first_seen, run_key
limit $5 offset $6
