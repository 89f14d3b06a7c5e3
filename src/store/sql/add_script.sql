insert into rollup_script (
    day, population, app, outcome, open_hour, runs, duration_count, duration_sum
)
select * from unnest(
    $1::date[], $2::integer[], $3::text[], $4::text[], $5::timestamptz[], $6::bigint[], $7::bigint[], $8::bigint[]
)
on conflict (day, population, app, outcome, open_hour) do update set
    runs = rollup_script.runs + excluded.runs,
    duration_count = rollup_script.duration_count + excluded.duration_count,
    duration_sum = rollup_script.duration_sum + excluded.duration_sum
