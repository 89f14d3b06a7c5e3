-- $1 days and $2 spans of days, $3 repository, $4 slug, $5 type, $6 platform; null does not restrict.
-- Runs by where the scripts came from, most frequent first; and since when a revision is known at all.
select value as "source!", detail as "revision!", runs as "runs!", ended as "ended!", (
    select min(known.day) from rollup_facet as known
    where known.facet = 'runtime' and known.value = told.value and known.detail = told.detail
        and known.runs <> 0
) as "first_day!"
from (
    select value, detail, sum(runs::integer) as runs,
        coalesce(sum(runs::integer) filter (where outcome in ('success', 'failed')), 0) as ended
    from (
        select population, value, detail, outcome, runs from rollup_facet
        where day = any($1::date[]) and facet = 'runtime'
        union all
        select population, value, detail, outcome, runs from span_facet
        where span = any($2::integer[]) and facet = 'runtime'
    ) as counted
    where population in (
        select id from population
        where ($3::text is null or repo = $3) and ($4::text is null or slug = $4)
            and ($5::text is null or kind = $5) and ($6::text is null or platform = $6)
    )
    group by value, detail
    having sum(runs::integer) <> 0
) as told
order by told.runs desc, value, detail
