-- As records_by_app.sql, backwards.
select execution as "row!: Stored" from execution
where app is not null and first_seen >= $1 and first_seen < $2
    and passes(execution, $3) and ($4::text[] is null or app = any($4))
    and ($7::text is null or app <= $7 and (app, first_seen, run_key) < ($7, $8::timestamptz, $9::uuid))
order by app desc, first_seen desc, run_key desc
limit $5 offset $6
