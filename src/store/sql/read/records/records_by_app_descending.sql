-- As records_by_app.sql, backwards.
select row as "row!: Stored" from (
    (
        select execution as row, app as name, first_seen, run_key from execution
        where app is not null and first_seen >= $1 and first_seen < $2
            and is_listed(execution, $3) and ($4::text[] is null or app = any($4)) and app <> all($10::text[])
            and ($7::text is null or app <= $7 and (app, first_seen, run_key) < ($7, $8::timestamptz, $9::uuid))
        order by app desc, first_seen desc, run_key desc
        limit $5::bigint + $6::bigint
    )
    union all
    (
        select execution, '(rare)', first_seen, run_key from execution
        where app = any($10) and first_seen >= $1 and first_seen < $2
            and is_listed(execution, $3) and ($4 is null or app = any($4))
            and ($7 is null or ('(rare)', first_seen, run_key) < ($7, $8, $9))
        order by first_seen desc, run_key desc
        limit $5 + $6
    )
) as found
order by name desc, first_seen desc, run_key desc
limit $5 offset $6
