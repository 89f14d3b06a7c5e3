-- $1 days and $2 spans of days, $3 repository, $4 slug, $5 type, $6 platform; null does not restrict.
-- $7 outcomes, $8 signatures. $9: at most so many scripts for each of them. When each was seen first and last,
-- how many scripts it hit, and those with the most runs. Scripts that share a number of runs come sorted by name;
-- for the numbers alone their order does not matter.
with part as (
    select signature, app, runs::integer as runs, day as first_day, day as last_day
    from rollup_signature
    where day = any($1::date[]) and outcome = any($7::text[]) and signature = any($8::bigint[]) and runs <> 0
        and population = any(array(
            select id from population
            where ($3::text is null or repo = $3) and ($4::text is null or slug = $4)
                and ($5::text is null or kind = $5) and ($6::text is null or platform = $6)
        ))
    union all
    select signature, unnest(apps), unnest(runs_of_apps), first_day, last_day
    from span_signature
    where span = any($2::integer[]) and outcome = any($7::text[]) and signature = any($8::bigint[])
        and population = any(array(
            select id from population
            where ($3::text is null or repo = $3) and ($4::text is null or slug = $4)
                and ($5::text is null or kind = $5) and ($6::text is null or platform = $6)
        ))
), hit as (
    select signature, app, sum(runs) as runs, min(first_day) as first_day, max(last_day) as last_day
    from part group by signature, app
)
select signature as "signature!", min(first_day) as "first_day!", max(last_day) as "last_day!",
    count(*) as "scripts!", (array_agg(app order by runs desc, app))[:$9] as "names!",
    (array_agg(runs order by runs desc))[:$9] as "runs_of_names!"
from hit
group by signature
