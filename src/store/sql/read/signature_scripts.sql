-- $1 days and $2 spans of days, $3 repository, $4 slug, $5 type, $6 platform; null does not restrict.
-- $7 outcomes, $8 signatures. $9: at most so many scripts for each of them. When each was seen first and last,
-- how many scripts it hit, and those with the most runs. Scripts that share a number of runs come sorted by name;
-- for the numbers alone their order does not matter.
with meant as materialized (
    select id from population
    where ($3::text is null or repo = $3) and ($4::text is null or slug = $4)
        and ($5::text is null or kind = $5) and ($6::text is null or platform = $6)
), of_days as materialized (
    select signature, app, runs::integer as runs, day
    from rollup_signature
    where day = any($1::date[]) and outcome = any($7::text[]) and signature = any($8::bigint[]) and runs <> 0
        and population in (select id from meant)
), of_spans as materialized (
    select signature, first_day, last_day, apps, runs_of_apps
    from span_signature
    where span = any($2::integer[]) and outcome = any($7::text[]) and signature = any($8::bigint[])
        and population in (select id from meant)
), hit as (
    select signature, app, sum(runs) as runs
    from (
        select signature, app, runs from of_days
        union all
        select signature, unnest(apps), unnest(runs_of_apps) from of_spans
    ) as part
    group by signature, app
), named as (
    select signature, count(*) as scripts, (array_agg(app order by runs desc, app))[:$9] as names,
        (array_agg(runs order by runs desc))[:$9] as runs_of_names
    from hit group by signature
), seen as (
    select signature, min(first_day) as first_day, max(last_day) as last_day
    from (
        select signature, day as first_day, day as last_day from of_days
        union all
        select signature, first_day, last_day from of_spans
    ) as part
    group by signature
)
select signature as "signature!", first_day as "first_day!", last_day as "last_day!", scripts as "scripts!",
    names as "names!", runs_of_names as "runs_of_names!"
from named join seen using (signature)
