-- $1 days and $2 spans of days, $3 repository, $4 slug, $5 type, $6 platform; null does not restrict.
-- Only runs with an app: each of them has exactly one generation.
select coalesce(sum(runs::integer), 0)::bigint as "runs!", (
    select day from rollup_facet
    where facet = 'generation' and runs <> 0 and population in (
        select id from population
        where ($3::text is null or repo = $3) and ($4::text is null or slug = $4)
            and ($5::text is null or kind = $5) and ($6::text is null or platform = $6)
    )
    order by facet, day limit 1
) as first_day
from (
    select population, runs from rollup_facet where day = any($1::date[]) and facet = 'generation'
    union all
    select population, runs from span_facet where span = any($2::integer[]) and facet = 'generation'
) as counted
where population in (
        select id from population
        where ($3::text is null or repo = $3) and ($4::text is null or slug = $4)
            and ($5::text is null or kind = $5) and ($6::text is null or platform = $6)
)
