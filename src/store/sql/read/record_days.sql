-- How many records on which day, newest first: from the narrowest rollup that knows, $7: 'all', 'os', 'app' or
-- 'open'. $1 first day, $2 last day, $3 repository, $4 slug, $5 type, $6 platform, $8 outcome, $9 what is
-- running since when, $10 operating system, $11 applications, $12 version of the operating system; null does not restrict.
-- $13 days and $14 short spans of days, which together are the same days, for 'all'.
select day as "day!", sum(runs::integer) as "runs!"
from (
    select day, population, runs from rollup_facet
    where $7::text = 'all' and day = any($13::date[]) and facet = 'generation'
        and ($8::text is null or outcome = $8)
    union all
    select day, population, runs from span_day
    where $7 = 'all' and span = any($14::integer[]) and ($8::text is null or outcome = $8)
    union all
    select day, population, runs from rollup_facet
    where $7 = 'os' and facet = 'os' and ($10::text is null or value = $10)
        and ($12::text is null or detail = $12) and ($8::text is null or outcome = $8)
    union all
    select day, population, runs from rollup_script
    where $7 = 'app' and app = any($11::text[]) and ($8::text is null or outcome = $8)
    union all
    select day, population, runs from rollup_script
    where $7 = 'open' and outcome = 'open' and app <> '' and ($11::text[] is null or app = any($11))
        and (open_hour >= $9::timestamptz) = ($8 = 'installing')
) as counted
where ($1::date is null or day >= $1) and ($2::date is null or day <= $2)
    and population in (
        select id from population
        where ($3::text is null or repo = $3) and ($4::text is null or slug = $4)
            and ($5::text is null or kind = $5) and ($6::text is null or platform = $6)
    )
group by day
having sum(runs) <> 0
order by day desc
