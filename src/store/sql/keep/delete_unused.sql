-- Deletes those of some populations ($1) and signatures ($2) under which nothing is counted, with the decisions about
-- these signatures.
-- Looks up each population on each day, by key, the latest first; `limit` keeps the planner from reading all rollups.
with template as (
    delete from signature where id = any($2) and not exists (
        select from rollup_signature where rollup_signature.signature = signature.id and runs <> 0
    )
    returning id
), decision as (
    delete from triage using template where triage.signature = template.id
)
delete from population where id = any($1) and not exists (
    select from generate_series(
        (select max(day) from rollup_script)::timestamp, (select min(day) from rollup_script)::timestamp,
        interval '-1 day'
    ) as of_day cross join lateral (
        select 1 from rollup_script
        where rollup_script.day = of_day::date and rollup_script.population = population.id and runs <> 0
        limit 1
    ) as counted
)
