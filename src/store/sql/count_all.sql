-- $1 repository, $2 slug, $3 type, $4 platform; null does not restrict. Only runs with an app: each of
-- them has exactly one generation.
select coalesce(sum(runs), 0)::bigint as "runs!", min(day) filter (where runs <> 0) as first_day
from rollup_facet
where facet = 'generation'
    and population in (
        select id from population
        where ($1::text is null or repo = $1) and ($2::text is null or slug = $2)
            and ($3::text is null or kind = $3) and ($4::text is null or platform = $4)
    )
