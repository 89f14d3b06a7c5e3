-- $1 first day, $2 last day, $3 repository, $4 slug, $5 type, $6 platform; null does not restrict.
-- Bad ends of runs with an app. A value is code@generation, its detail the category.
select split_part(value, '@', 1)::smallint as "exit_code!", split_part(value, '@', 2)::smallint as "generation!",
    detail as "category", outcome, sum(runs)::bigint as "runs!"
from rollup_facet
where ($1::date is null or day >= $1) and ($2::date is null or day <= $2)
    and facet = 'exit_code'
    and population in (
        select id from population
        where ($3::text is null or repo = $3) and ($4::text is null or slug = $4)
            and ($5::text is null or kind = $5) and ($6::text is null or platform = $6)
    )
group by value, detail, outcome
having sum(runs) <> 0
order by sum(runs) desc, value, detail, outcome
