-- $1 days and $2 spans of days, $3 repository, $4 slug, $5 type, $6 platform; null does not restrict.
-- Only runs with an app: each of them has exactly one generation. The spans are of the shortest kind, and hold
-- no day that is among the others.
select day as "day!", outcome as "outcome!", runs as "runs!"
from (
    select day, outcome, sum(runs::integer) as runs from rollup_facet
    where day = any($1::date[]) and facet = 'generation'
        and population = any(array(
            select id from population
            where ($3::text is null or repo = $3) and ($4::text is null or slug = $4)
                and ($5::text is null or kind = $5) and ($6::text is null or platform = $6)
        ))
    group by day, outcome
    union all
    select day, outcome, sum(runs::integer) from span_day
    where span = any($2::integer[])
        and population = any(array(
            select id from population
            where ($3::text is null or repo = $3) and ($4::text is null or slug = $4)
                and ($5::text is null or kind = $5) and ($6::text is null or platform = $6)
        ))
    group by day, outcome
) as counted
where runs <> 0
order by day, outcome
