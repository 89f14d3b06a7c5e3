insert into rollup_duration (
    day, population, app, outcome, bucket, runs
)
select * from unnest(
    $1::date[], $2::integer[], $3::text[], $4::text[], $5::smallint[], $6::bigint[]
)
on conflict (day, population, app, outcome, bucket) do update set
    runs = rollup_duration.runs + excluded.runs
