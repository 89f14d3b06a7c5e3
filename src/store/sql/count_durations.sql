-- $1 first day, $2 last day, $3 repository, $4 slug, $5 type, $6 platform; null does not restrict.
select value::smallint as "bucket!", sum(runs)::bigint as "runs!"
from rollup_facet
where ($1::date is null or day >= $1) and ($2::date is null or day <= $2)
    and facet = 'duration' and outcome = 'success'
    and population in (
        select id from population
        where ($3::text is null or repo = $3) and ($4::text is null or slug = $4)
            and ($5::text is null or kind = $5) and ($6::text is null or platform = $6)
    )
group by value
having sum(runs) <> 0
order by value::smallint
