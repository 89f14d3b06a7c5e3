-- $1 days and $2 spans of days, $3 repository, $4 slug, $5 type, $6 platform; null does not restrict.
-- Only runs with an app: each of them has exactly one generation. Runs by outcome.
select outcome as "outcome!", sum(runs::integer) as "runs!"
from (
    select population, outcome, runs from rollup_facet where day = any($1::date[]) and facet = 'generation'
    union all
    select population, outcome, runs from span_facet where span = any($2::integer[]) and facet = 'generation'
) as counted
where population = any(array(
    select id from population
    where ($3::text is null or repo = $3) and ($4::text is null or slug = $4)
        and ($5::text is null or kind = $5) and ($6::text is null or platform = $6)
))
group by outcome
