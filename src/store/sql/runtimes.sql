-- $1 first day, $2 last day, $3 repository, $4 slug, $5 type, $6 platform; null does not restrict.
-- Runs by where the scripts came from, most frequent first; and since when a revision is known at all.
select value as source, detail as revision, sum(runs)::bigint as "runs!",
    coalesce(sum(runs) filter (where outcome in ('success', 'failed')), 0)::bigint as "ended!",
    (
        select min(known.day) from rollup_facet as known
        where known.facet = 'runtime' and known.value = rollup_facet.value and known.detail = rollup_facet.detail
            and known.runs <> 0
    ) as "first_day!"
from rollup_facet
where ($1::date is null or day >= $1) and ($2::date is null or day <= $2)
    and population in (
        select id from population
        where ($3::text is null or repo = $3) and ($4::text is null or slug = $4)
            and ($5::text is null or kind = $5) and ($6::text is null or platform = $6)
    )
    and facet = 'runtime' and runs <> 0
group by value, detail
order by sum(runs) desc, value, detail
