-- $1 days and $2 spans of days, $3 repository, $4 slug, $5 type, $6 platform; null does not restrict.
-- $7: at most so many. Only runs with an app: each of them has exactly one generation.
select slug as "slug!", sum(runs::integer) as "runs!"
from (
    select population, runs from rollup_facet where day = any($1::date[]) and facet = 'generation'
    union all
    select population, runs from span_facet where span = any($2::integer[]) and facet = 'generation'
) as counted join population on population.id = population
where ($3::text is null or repo = $3) and ($4::text is null or slug = $4)
    and ($5::text is null or kind = $5) and ($6::text is null or platform = $6)
    and slug <> ''
group by slug
having sum(runs::integer) <> 0
order by sum(runs::integer) desc, slug
limit $7
