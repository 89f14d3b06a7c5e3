-- $1 first day, $2 last day, $3 repository, $4 slug, $5 type, $6 platform; null does not restrict.
-- $7: at most so many. Only runs with an app: each of them has exactly one generation.
select slug, sum(runs)::bigint as "runs!"
from rollup_facet join population on population.id = population
where ($1::date is null or day >= $1) and ($2::date is null or day <= $2)
    and facet = 'generation'
    and ($3::text is null or repo = $3) and ($4::text is null or slug = $4)
    and ($5::text is null or kind = $5) and ($6::text is null or platform = $6)
    and slug <> ''
group by slug
having sum(runs) <> 0
order by sum(runs) desc, slug
limit $7
