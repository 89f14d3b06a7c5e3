-- $1 first day, $2 last day, $3 repository, $4 slug, $5 type, $6 platform; null does not restrict.
-- $7: the facets. $8: at most so many values of each. Details only where they are shown.
select facet as "facet!", value as "value!", detail as "detail!", runs as "runs!"
from (
    select facet, value, shown as detail, sum(runs)::bigint as runs,
        row_number() over (partition by facet order by sum(runs) desc, value, shown) as rank
    from rollup_facet cross join lateral (select case when facet = 'gpu' then detail else '' end) as s (shown)
    where ($1::date is null or day >= $1) and ($2::date is null or day <= $2)
        and population in (
            select id from population
            where ($3::text is null or repo = $3) and ($4::text is null or slug = $4)
                and ($5::text is null or kind = $5) and ($6::text is null or platform = $6)
        )
        and facet = any($7::text[]) and value <> ''
    group by facet, value, shown
    having sum(runs) <> 0
) as ranked
where rank <= $8
order by facet, runs desc, value, detail
