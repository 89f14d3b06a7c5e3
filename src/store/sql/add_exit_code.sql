insert into rollup_exit_code (
    day, population, app, outcome, exit_code, category, generation, runs
)
select * from unnest(
    $1::date[], $2::integer[], $3::text[], $4::text[], $5::smallint[], $6::text[], $7::smallint[], $8::bigint[]
)
on conflict (day, population, app, outcome, exit_code, category, generation) do update set
    runs = rollup_exit_code.runs + excluded.runs
