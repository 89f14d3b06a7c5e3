-- $1 days and $2 spans of days, $3 repository, $4 slug, $5 type, $6 platform; null does not restrict.
select value::smallint as "bucket!", sum(runs::integer) as "runs!"
from (
    select population, value, outcome, runs from rollup_facet where day = any($1::date[]) and facet = 'duration'
    union all
    select population, value, outcome, runs from span_facet where span = any($2::integer[]) and facet = 'duration'
) as counted
where outcome = 'success' and population in (
        select id from population
        where ($3::text is null or repo = $3) and ($4::text is null or slug = $4)
            and ($5::text is null or kind = $5) and ($6::text is null or platform = $6)
)
group by value
having sum(runs::integer) <> 0
order by value::smallint
