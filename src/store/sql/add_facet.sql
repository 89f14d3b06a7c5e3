insert into rollup_facet (
    day, population, facet, value, detail, outcome, runs
)
select * from unnest(
    $1::date[], $2::integer[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bigint[]
)
on conflict (day, population, facet, value, detail, outcome) do update set
    runs = rollup_facet.runs + excluded.runs
