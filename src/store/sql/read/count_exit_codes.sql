-- $1 days and $2 spans of days, $3 repository, $4 slug, $5 type, $6 platform; null does not restrict.
-- Bad ends of runs with an app. A value is code@generation, its detail the category.
select split_part(value, '@', 1)::smallint as "exit_code!", split_part(value, '@', 2)::smallint as "generation!",
    detail as "category!", outcome as "outcome!", sum(runs::integer) as "runs!"
from (
    select population, value, detail, outcome, runs from rollup_facet
    where day = any($1::date[]) and facet = 'exit_code'
    union all
    select population, value, detail, outcome, runs from span_facet
    where span = any($2::integer[]) and facet = 'exit_code'
) as counted
where population in (
        select id from population
        where ($3::text is null or repo = $3) and ($4::text is null or slug = $4)
            and ($5::text is null or kind = $5) and ($6::text is null or platform = $6)
)
group by value, detail, outcome
having sum(runs::integer) <> 0
order by sum(runs::integer) desc, value, detail, outcome
