-- $1 days and $2 spans of days, $3 repository, $4 slug, $5 type, $6 platform; null does not restrict.
-- $7: the facets. $8: at most so many values of each. Details only where they are shown.
select facet as "facet!", value as "value!", shown as "detail!", runs as "runs!"
from (
    select facet, value, shown, sum(runs)::bigint as runs,
        row_number() over (partition by facet order by sum(runs) desc, value, shown) as rank
    from (
        select facet, value, case when facet = 'gpu' then detail else '' end as shown, sum(runs::integer) as runs
        from rollup_facet where day = any($1::date[]) and facet = any($7::text[]) and value <> ''
            and population = any(array(
            select id from population
            where ($3::text is null or repo = $3) and ($4::text is null or slug = $4)
                and ($5::text is null or kind = $5) and ($6::text is null or platform = $6)
        ))
        group by facet, value, shown
        union all
        select facet, value, case when facet = 'gpu' then detail else '' end as shown, sum(runs::integer) as runs
        from span_facet where span = any($2::integer[]) and facet = any($7::text[]) and value <> ''
            and population = any(array(
            select id from population
            where ($3::text is null or repo = $3) and ($4::text is null or slug = $4)
                and ($5::text is null or kind = $5) and ($6::text is null or platform = $6)
        ))
        group by facet, value, shown
    ) as counted
    group by facet, value, shown
    having sum(runs) <> 0
) as ranked
where rank <= $8
order by facet, runs desc, value, shown
